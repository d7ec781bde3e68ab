export * from './worker.js';
export * from './worker-threads.js';
