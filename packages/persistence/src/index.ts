export * from './clock-bound.js';
export { type DeadLetter, DeadLetters } from './dead-letters.js';
export * from './embedded-database.js';
export * from './embedded-postgres.js';
export { PersistenceThread } from './persistence-thread.js';
export type { DatabaseConnection } from './postgres-link.js';
export { type PostgresStoreOptions, postgresStore } from './postgres-pool-store.js';
export * from './status.js';
export { StoreError } from './store.js';
