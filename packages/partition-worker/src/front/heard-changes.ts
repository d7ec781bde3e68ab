import { PARTITIONS } from '@tidewire/core';
import { EventMessage, RecordLayout } from '@tidewire/core/threads';

/** Tells the changes that a worker says again after a death from those that are new. */
export class HeardChanges {
  /** The last change heard of in each partition. */
  readonly #sequences: Float64Array = new Float64Array(PARTITIONS);
  /** The change that is being said has been heard before. */
  readonly #isResaid: Uint8Array = new Uint8Array(PARTITIONS);

  /** Whether the EVENT record at `at`, the next one of its worker, belongs to a new change. */
  isNew(words: Int32Array, at: number): boolean {
    const partition = words[at + EventMessage.PARTITION];
    if (words[at + EventMessage.FIRST] !== 0) this.#beginChange(partition, words, at);
    return this.#isResaid[partition] === 0;
  }

  /** The records of one change are contiguous, and those of a partition come from one worker. */
  #beginChange(partition: number, words: Int32Array, at: number): void {
    const sequence = RecordLayout.joinWords(
      words[at + EventMessage.SEQUENCE_LOW],
      words[at + EventMessage.SEQUENCE_HIGH],
    );
    const isResaid = sequence <= this.#sequences[partition];
    this.#isResaid[partition] = isResaid ? 1 : 0;
    if (!isResaid) this.#sequences[partition] = sequence;
  }
}
