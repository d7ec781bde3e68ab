export * from './gateway.js';
export * from './gateway-loop.js';
export * from './transport.js';
export * from './turn-time.js';
export * from './uws-transport.js';
export * from './ws-transport.js';
