import { BASES_INTERVAL_MS, PARTITIONS } from '@tidewire/core';
import { loadWatermark, ownerOf, type SharedMemory, WorkerControl } from '@tidewire/core/threads';
import { type PartitionNumber, StoreError } from './store.js';

interface Keeping {
  readonly bases: readonly PartitionNumber[];
  outcome: 'KEPT' | StoreError | undefined;
}

/**
 * Keeps in the store how far each partition has been flushed, so that after a restart a client's
 * cursor of this epoch is honoured for what has come back. Written about once a second and at the
 * end, after the flushes that it speaks of: a base that is too low costs a snapshot, one too high
 * would hide a loss.
 */
export class BaseKeeper {
  readonly #controls: readonly Int32Array[];
  readonly #keep: (bases: readonly PartitionNumber[]) => Promise<void>;
  readonly #wake: () => void;
  readonly #onOutcome: (error: StoreError | undefined) => void;
  /** −1: not written in this epoch, which has a row of every partition from its beginning on. */
  readonly #kept: Float64Array = new Float64Array(PARTITIONS).fill(-1);
  #keeping: Keeping | undefined;
  #dueAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: {
    memory: SharedMemory;
    keep: (bases: readonly PartitionNumber[]) => Promise<void>;
    /** Called when a write has settled, from outside a turn. */
    wake: () => void;
    /** Told of every outcome, in the turn that observes it. */
    onOutcome: (error: StoreError | undefined) => void;
  }) {
    this.#controls = options.memory.workers.map(({ control }) => new Int32Array(control));
    this.#keep = options.keep;
    this.#wake = options.wake;
    this.#onOutcome = options.onOutcome;
  }

  /** Nothing is under way that will say how the store is. */
  get isIdle(): boolean {
    return this.#keeping === undefined;
  }

  get hasWork(): boolean {
    return this.#keeping?.outcome !== undefined;
  }

  /** The time at which a turn is due even if nothing happens. */
  get dueAtMs(): number {
    return this.#keeping === undefined ? this.#dueAtMs : Number.POSITIVE_INFINITY;
  }

  /** The last write, at an orderly end. No turn follows. Rejects as the store does. */
  async end(): Promise<void> {
    await this.#keep(this.#moved());
  }

  /** One turn. Returns the work done. */
  doWork(nowMs: number): number {
    if (this.#keeping !== undefined) return this.#settle(this.#keeping);
    if (nowMs < this.#dueAtMs) return 0;
    this.#dueAtMs = nowMs + BASES_INTERVAL_MS;
    const bases = this.#moved();
    if (bases.length === 0) return 0;
    this.#start({ bases, outcome: undefined });
    return 1;
  }

  #start(keeping: Keeping): void {
    this.#keeping = keeping;
    this.#keep(keeping.bases).then(
      () => {
        keeping.outcome = 'KEPT';
        this.#wake();
      },
      (error: unknown) => {
        if (!(error instanceof StoreError)) throw error; // a bug: the thread ends
        keeping.outcome = error;
        this.#wake();
      },
    );
  }

  #settle({ bases, outcome }: Keeping): number {
    if (outcome === undefined) return 0;
    this.#keeping = undefined;
    if (outcome === 'KEPT')
      for (const { partition, sequence } of bases) this.#kept[partition] = sequence;
    this.#onOutcome(outcome === 'KEPT' ? undefined : outcome);
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
