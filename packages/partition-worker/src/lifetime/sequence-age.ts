import { PARTITIONS } from '@tidewire/core';
import type { RecordStore } from '../store/record-store.js';

/** Samples in one horizon; the more, the less longer than it a change counts as young. */
const SAMPLES_A_HORIZON = 2;

/**
 * Knows of each partition a sequence that all changes of the last `horizonMs` are above: the sequences are
 * noted twice a horizon and come to use a horizon later. A new worker knows of no old changes.
 */
export class SequenceAge {
  readonly #store: RecordStore;
  readonly #partitions: readonly number[];
  readonly #intervalMs: number;
  /** By age, the oldest first. */
  readonly #samples: Float64Array[] = Array.from({ length: SAMPLES_A_HORIZON + 1 }, () =>
    new Float64Array(PARTITIONS).fill(-1),
  );
  #nextMs = 0;

  constructor(store: RecordStore, partitions: readonly number[], horizonMs: number) {
    this.#store = store;
    this.#partitions = partitions;
    this.#intervalMs = horizonMs / SAMPLES_A_HORIZON;
  }

  onTick(nowMs: number): void {
    if (nowMs < this.#nextMs) return;
    this.#nextMs = nowMs + this.#intervalMs;
    const sample = this.#samples.shift() as Float64Array;
    for (const partition of this.#partitions) sample[partition] = this.#store.sequence(partition);
    this.#samples.push(sample);
  }

  isOld(partition: number, sequence: number): boolean {
    return sequence <= this.#samples[0][partition];
  }
}
