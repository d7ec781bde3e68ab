import { doubled } from './doubled.js';

const WORDS_AT_FIRST = 1024;

/**
 * Spans of words for keys, in one array that grows as needed. A span that is given back serves the next
 * one of its length.
 */
export class KeySpans {
  words: Int32Array = new Int32Array(WORDS_AT_FIRST);
  /** By length, the first free span or 0; each names the next one in its first word. */
  readonly #free: Int32Array;
  #used = 1; // 0 is no span

  /** @param lengthMax of a span, in words */
  constructor(lengthMax: number) {
    this.#free = new Int32Array(lengthMax + 1);
  }

  /** Where a copy of `source`, at least one word, is from now on. */
  add(source: Int32Array): number {
    const at = this.#claim(source.length);
    this.words.set(source, at);
    return at;
  }

  remove(at: number, length: number): void {
    this.words[at] = this.#free[length];
    this.#free[length] = at;
  }

  #claim(length: number): number {
    const free = this.#free[length];
    if (free !== 0) {
      this.#free[length] = this.words[free];
      return free;
    }
    while (this.#used + length > this.words.length) this.words = doubled(this.words);
    const at = this.#used;
    this.#used += length;
    return at;
  }
}
