export * from './create-transport.js';
export * from './gateway.js';
export * from './gateway-limits.js';
export * from './gateway-loop.js';
export { originRule } from './origin.js';
export * from './transport.js';
export * from './turn-time.js';
export { uwsMissing } from './uws-transport.js';
