import { type CollectionMark, RecordLayout } from '@tidewire/core/threads';
import {
  COLLECTED_COUNTER,
  COLLECTED_MS,
  COLLECTED_NODE,
  COLLECTED_SEQUENCE,
  JOURNAL_FROM,
  partitionIndex,
  SEQUENCE,
} from './arena-layout.js';

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

  /** What has been collected of a partition. */
  collected(partition: number): CollectionMark {
    const index = partitionIndex(partition);
    return {
      partition,
      sequence: this.#load(index + COLLECTED_SEQUENCE),
      ms: this.#load(index + COLLECTED_MS),
      counter: this.words[index + COLLECTED_COUNTER],
      node: this.words[index + COLLECTED_NODE],
    };
  }

  /** Whether a stamp is not above everything that has been collected. */
  isCollected(partition: number, ms: number, counter: number, node: number): boolean {
    const index = partitionIndex(partition);
    const order =
      ms - this.#load(index + COLLECTED_MS) ||
      counter - this.words[index + COLLECTED_COUNTER] ||
      node - this.words[index + COLLECTED_NODE];
    return order <= 0;
  }

  /** The lesser parts of the stamp first: one torn by a death is too low, and is raised again. */
  raiseCollected(mark: CollectionMark): void {
    const index = partitionIndex(mark.partition);
    this.#raise(index + COLLECTED_SEQUENCE, mark.sequence);
    if (this.isCollected(mark.partition, mark.ms, mark.counter, mark.node)) return;
    this.words[index + COLLECTED_NODE] = mark.node;
    this.words[index + COLLECTED_COUNTER] = mark.counter;
    this.words[index + COLLECTED_MS] = lowWord(mark.ms);
    this.words[index + COLLECTED_MS + 1] = highWord(mark.ms);
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
