import { PARTITIONS } from '@tidewire/core';
import { ProgressMessage, RecordLayout } from '@tidewire/core/threads';
import type { Outbound } from './outbound.js';
import type { RecordStore } from './store/record-store.js';

/** Tells the gateway how far the worker's partitions have got, each time those that moved. */
export class ProgressReport {
  readonly #store: RecordStore;
  readonly #partitions: readonly number[];
  readonly #reported: Float64Array = new Float64Array(PARTITIONS);
  readonly #entries: Int32Array = new Int32Array(PARTITIONS * ProgressMessage.ENTRY_WORDS);

  constructor(store: RecordStore, partitions: readonly number[]) {
    this.#store = store;
    this.#partitions = partitions;
  }

  /** Answers a TICK. All events of the sequences reported have been said before. */
  say(outbound: Outbound): void {
    let count = 0;
    for (const partition of this.#partitions) {
      const sequence = this.#store.sequence(partition);
      if (sequence === this.#reported[partition]) continue;
      this.#reported[partition] = sequence;
      const at = count++ * ProgressMessage.ENTRY_WORDS;
      this.#entries[at] = partition;
      this.#entries[at + 1] = RecordLayout.lowWord(sequence);
      this.#entries[at + 2] = RecordLayout.highWord(sequence);
    }
    outbound.progress(this.#entries, count);
  }
}
