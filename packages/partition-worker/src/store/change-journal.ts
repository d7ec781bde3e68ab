import { RecordLayout } from '@tidewire/core/threads';
import { type ArenaLayout, journalIndex } from './arena-layout.js';
import type { KeyIndex } from './key-index.js';
import type { PartitionNumbers } from './partition-numbers.js';

/**
 * The last changes of each partition: the index hash of the record that took a sequence. An entry is
 * a place to look, not an address: the record found there must bear the sequence, so a stale or torn
 * entry finds nothing. A change whose key has changed again finds nothing either.
 */
export class ChangeJournal {
  readonly words: Int32Array;
  readonly #entries: number;
  readonly #mask: number;
  readonly #numbers: PartitionNumbers;
  readonly #index: KeyIndex;

  constructor(words: Int32Array, layout: ArenaLayout, numbers: PartitionNumbers, index: KeyIndex) {
    this.words = words;
    this.#entries = layout.journalEntries;
    this.#mask = layout.journalEntries - 1;
    this.#numbers = numbers;
    this.#index = index;
  }

  /** Before the publish: the oldest entry is lost early, but `reaches` never counts on it. */
  append(partition: number, sequenceLow: number, indexHash: number): void {
    this.words[journalIndex(partition, this.#entries) + (sequenceLow & this.#mask)] = indexHash;
  }

  indexHashAt(partition: number, sequence: number): number {
    return this.words[
      journalIndex(partition, this.#entries) + (RecordLayout.lowWord(sequence) & this.#mask)
    ];
  }

  /** Whether the journal has every change above `from`. */
  reaches(partition: number, from: number): boolean {
    const sequence = this.#numbers.sequence(partition);
    if (from >= sequence) return true;
    return from >= this.#numbers.journalFrom(partition) && sequence - from <= this.#mask;
  }

  /** The record that took this sequence, if it is still the state of its key; else 0. */
  recordAt(partition: number, sequence: number): number {
    return this.#index.findSequence(
      partition,
      this.indexHashAt(partition, sequence),
      RecordLayout.lowWord(sequence),
      RecordLayout.highWord(sequence),
    );
  }
}
