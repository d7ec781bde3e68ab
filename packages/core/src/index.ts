export * from './assert.js';
export * from './code.js';
export * from './hlc.js';
export * from './limits.js';
export * from './partition-hash.js';
export * from './query/predicate.js';
export * from './wire/utf8.js';
