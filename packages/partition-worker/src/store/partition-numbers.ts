import { RecordLayout } from '@tidewire/core/threads';
import { JOURNAL_FROM, partitionIndex, SEQUENCE } from './arena-layout.js';

const { highWord, joinWords, lowWord } = RecordLayout;

/**
 * What the arena knows of each partition besides its records. The numbers only grow; one has 48 bits
 * in two words, low stored before high, so that one torn by a death is too low, never too high.
 */
export class PartitionNumbers {
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** The sequence last taken. */
  sequence(partition: number): number {
    return this.#load(partitionIndex(partition) + SEQUENCE);
  }

  /** The low word of the sequence to take next; its high word is `nextSequenceHigh`. */
  nextSequenceLow(partition: number): number {
    return (this.words[partitionIndex(partition) + SEQUENCE] + 1) | 0;
  }

  nextSequenceHigh(partition: number, nextLow: number): number {
    const high = this.words[partitionIndex(partition) + SEQUENCE + 1];
    return nextLow === 0 ? high + 1 : high;
  }

  /** Takes the sequence of a published record. */
  takeSequence(partition: number, low: number, high: number): void {
    const index = partitionIndex(partition) + SEQUENCE;
    this.words[index] = low;
    this.words[index + 1] = high;
  }

  raiseSequence(partition: number, sequence: number): void {
    this.#raise(partitionIndex(partition) + SEQUENCE, sequence);
  }

  /** The journal has every change above this sequence, as far as it reaches back. */
  journalFrom(partition: number): number {
    return this.#load(partitionIndex(partition) + JOURNAL_FROM);
  }

  raiseJournalFrom(partition: number, sequence: number): void {
    this.#raise(partitionIndex(partition) + JOURNAL_FROM, sequence);
  }

  #raise(index: number, value: number): void {
    if (value <= this.#load(index)) return;
    this.words[index] = lowWord(value);
    this.words[index + 1] = highWord(value);
  }

  #load(index: number): number {
    return joinWords(this.words[index], this.words[index + 1]);
  }
}
