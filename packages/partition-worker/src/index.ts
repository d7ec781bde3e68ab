export * from './partition-pool.js';
export * from './worker.js';
