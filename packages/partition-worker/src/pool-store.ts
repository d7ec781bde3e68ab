import type { SharedMemory } from '@tidewire/core/threads';

/**
 * Where records are kept beyond the process: `@tidewire/persistence` makes one. It takes what the
 * workers hand over (see PersistenceQueue) and moves their watermarks.
 */
export interface PoolStore {
  /**
   * Fills the workers, which run, with what is stored, and writes behind from then on. Resolves with
   * the milliseconds that the clock must be above. `onFailure`: it cannot go on.
   */
  start(memory: SharedMemory, onFailure: (reason: string) => void): Promise<number>;
  /** Writes what is not stored yet, and ends. Resolves with the changes left; undefined: unknown. */
  stop(): Promise<number | undefined>;
}
