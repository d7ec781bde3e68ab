export type { Verify } from './access/authentication.js';
export { type KeySource, type TokenRules, TokenVerifier } from './access/token-verifier.js';
export * from './create-transport.js';
export * from './gateway.js';
export * from './gateway-loop.js';
export { originRule } from './origin.js';
export * from './transport.js';
export * from './turn-time.js';
export { uwsMissing } from './uws-transport.js';
