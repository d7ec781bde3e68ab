import type { SharedMemory } from '@tidewire/core/threads';

/** What becomes of a store while the pool runs. None of it stops the pool. */
export type StoreEvent =
  /** The store is away, or is for another reason than was told: what changes is in memory alone. */
  | { readonly kind: 'down'; readonly reason: string }
  | { readonly kind: 'up' }
  /** It refuses this record for itself, and has put it aside; `code` is its reason's. */
  | { readonly kind: 'buried'; readonly map: string; readonly key: string; readonly code: string }
  /** The clock's bound cannot be kept: once the clock is there, writes are refused with OVERLOADED. */
  | { readonly kind: 'unbound'; readonly reason: string };

export interface StoreListener {
  onEvent(event: StoreEvent): void;
  /** It cannot go on. */
  onFailure(reason: string): void;
}

/**
 * Where records are kept beyond the process: `@tidewire/persistence` makes one. It takes what the
 * workers hand over (see PersistenceQueue) and moves their watermarks.
 */
export interface PoolStore {
  /**
   * Fills the workers, which run, with what is stored, and writes behind from then on. Resolves with
   * the milliseconds that the clock must be above: the highest stored stamp's, and the last bound.
   */
  start(memory: SharedMemory, listener: StoreListener): Promise<number>;
  /**
   * Keeps, where no crash can lose it, a time that the clock will not reach, given the clock's `ms`.
   * Resolves with it once it is kept; it never falls.
   */
  raiseClockBound(ms: number): Promise<number>;
  /** Writes what is not stored yet, and ends. Resolves with the changes left; undefined: unknown. */
  stop(): Promise<number | undefined>;
}
