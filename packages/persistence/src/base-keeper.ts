import { BASES_INTERVAL_MS, PARTITIONS } from '@tidewire/core';
import { loadWatermark, ownerOf, type SharedMemory, WorkerControl } from '@tidewire/core/threads';
import { Errand } from './errand.js';
import type { PartitionNumber, Store, StoreError } from './store.js';

/**
 * Keeps in the store how far each partition has been flushed, so that after a restart a client's
 * cursor of this epoch is honoured for what has come back. Written about once a second and at the
 * end, after the flushes that it speaks of: a base that is too low costs a snapshot, one too high
 * would hide a loss.
 */
export class BaseKeeper {
  readonly #controls: readonly Int32Array[];
  readonly #store: Store;
  readonly #onOutcome: (error: StoreError | undefined) => void;
  readonly #errand: Errand<void>;
  /** −1: not written in this epoch, which has a row of every partition from its beginning on. */
  readonly #kept: Float64Array = new Float64Array(PARTITIONS).fill(-1);
  #keeping: readonly PartitionNumber[] = [];
  #dueAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    memory: SharedMemory;
    store: Store;
    wake: () => void;
    /** Told of every outcome, in the turn that observes it. */
    onOutcome: (error: StoreError | undefined) => void;
  }) {
    this.#controls = options.memory.workers.map(({ control }) => new Int32Array(control));
    this.#store = options.store;
    this.#onOutcome = options.onOutcome;
    this.#errand = new Errand(options.wake);
  }

  /** Nothing is under way that will say how the store is. */
  get isIdle(): boolean {
    return this.#errand.isIdle;
  }

  get hasWork(): boolean {
    return this.#errand.hasEnded;
  }

  /** The time at which a turn is due even if nothing happens. */
  get dueAtMs(): number {
    return this.#errand.isIdle ? this.#dueAtMs : Number.POSITIVE_INFINITY;
  }

  /** One turn. Returns the work done. */
  doWork(nowMs: number): number {
    if (!this.#errand.isIdle) return this.#observe();
    if (nowMs < this.#dueAtMs) return 0;
    this.#dueAtMs = nowMs + BASES_INTERVAL_MS;
    this.#keeping = this.#moved();
    if (this.#keeping.length === 0) return 0;
    this.#errand.begin(this.#store.keepBases(this.#keeping));
    return 1;
  }

  /** The last write, at an orderly end. No turn follows. Rejects as the store does. */
  async end(): Promise<void> {
    await this.#store.keepBases(this.#moved());
  }

  #observe(): number {
    const outcome = this.#errand.take();
    if (outcome === undefined) return 0;
    if (outcome.error === undefined)
      for (const { partition, sequence } of this.#keeping) this.#kept[partition] = sequence;
    this.#onOutcome(outcome.error);
    return 1;
  }

  #moved(): PartitionNumber[] {
    const moved: PartitionNumber[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const control = this.#controls[ownerOf(partition, this.#controls.length)];
      const sequence = loadWatermark(control, WorkerControl.flushedIndex(partition));
      if (sequence > this.#kept[partition]) moved.push({ partition, sequence });
    }
    return moved;
  }
}
