export * from './clock-bound.js';
export * from './embedded-postgres.js';
export type { PersistenceTask } from './persistence-main.js';
export type { DatabaseConnection } from './postgres-link.js';
export * from './status.js';

/** The thread's entry file, for the pool that starts it. */
export const PERSISTENCE_MAIN: string = new URL('./persistence-main.js', import.meta.url).href;
