import { assert } from '../assert.js';
import { RING_RECORD_DIVISOR } from '../limits.js';
import { DATA, HEAD, HEADER_WORDS, PADDING, recordWords, TAIL } from './ring-layout.js';

/** `claim` had no room: nothing was reserved. */
export const NO_ROOM = -1;

/**
 * The writing end of a ring. `claim` reserves a record in private, the caller writes its body, and
 * `commit` publishes everything claimed since the last commit at once, so a producer that dies in
 * between has said nothing, and one that attaches later goes on from the committed tail.
 */
export class RingProducer {
  /** The whole buffer; a claimed body starts at the returned index of it. */
  readonly words: Int32Array;
  readonly recordWordsMax: number;
  readonly #mask: number;
  readonly #capacity: number;
  readonly #reserve: number;
  #tail: number;
  #committed: number;
  #headCache: number; // stale is fine: it only makes the ring look fuller than it is

  /** `reserveWords` are kept free for `claimControl`. */
  constructor(buffer: SharedArrayBuffer, reserveWords = 0) {
    this.words = new Int32Array(buffer);
    this.#capacity = this.words.length - DATA;
    this.#mask = this.#capacity - 1;
    assert((this.#capacity & this.#mask) === 0, 'ring data is a power of two of words');
    this.#reserve = reserveWords;
    this.recordWordsMax = this.#capacity / RING_RECORD_DIVISOR;
    this.#tail = Atomics.load(this.words, TAIL);
    this.#committed = this.#tail;
    this.#headCache = Atomics.load(this.words, HEAD);
  }

  /** Reserves a record. Returns the index of its body in `words`, or NO_ROOM. */
  claim(kind: number, bodyWords: number): number {
    return this.#claim(kind, bodyWords, this.#reserve);
  }

  /** As `claim`, into the reserve too. */
  claimControl(kind: number, bodyWords: number): number {
    return this.#claim(kind, bodyWords, 0);
  }

  /** Makes all claimed records visible. Release: their bodies were written before. */
  commit(): void {
    if (this.#tail === this.#committed) return;
    this.#committed = this.#tail;
    Atomics.store(this.words, TAIL, this.#tail);
  }

  /** Forgets what was claimed since the last commit. */
  abort(): void {
    this.#tail = this.#committed;
  }

  /** True if claims of `words` in all, headers and padding included, will find room. */
  hasRoom(words: number): boolean {
    return this.#hasRoom(words + this.#reserve);
  }

  /** Words of data. */
  get capacity(): number {
    return this.#capacity;
  }

  /** Position behind what was claimed last. */
  get tail(): number {
    return this.#tail;
  }

  /**
   * Words claimed and not read yet. Looks at what the consumer has read only where more than a quarter of
   * the ring seems used; below it the answer may be too high.
   */
  used(): number {
    const used = (this.#tail - this.#headCache) | 0;
    if (used <= this.#capacity / 4) return used;
    this.#headCache = Atomics.load(this.words, HEAD); // acquire: the consumer is done with them
    return (this.#tail - this.#headCache) | 0;
  }

  /** The consumer had read everything before `position` when it was last looked at. */
  hasTaken(position: number): boolean {
    return ((position - this.#headCache) | 0) <= 0;
  }

  /** The consumer is done with everything before `position`. Acquire. */
  isTaken(position: number): boolean {
    return ((position - Atomics.load(this.words, HEAD)) | 0) <= 0;
  }

  /** True once the consumer has read everything committed. Acquire. */
  isDrained(): boolean {
    return Atomics.load(this.words, HEAD) === this.#committed;
  }

  #claim(kind: number, bodyWords: number, reserve: number): number {
    const total = recordWords(bodyWords);
    assert(total <= this.recordWordsMax, 'ring record longer than its limit');
    const index = this.#tail & this.#mask;
    const toEnd = this.#capacity - index;
    const needed = total > toEnd ? total + toEnd : total;
    if (!this.#hasRoom(needed + reserve)) return NO_ROOM;
    if (total <= toEnd) return this.#header(index, kind, total);
    this.words[DATA + index] = toEnd;
    this.words[DATA + index + 1] = PADDING;
    this.#tail = (this.#tail + toEnd) | 0;
    return this.#header(0, kind, total);
  }

  #hasRoom(words: number): boolean {
    if (words <= this.#capacity - ((this.#tail - this.#headCache) | 0)) return true;
    this.#headCache = Atomics.load(this.words, HEAD); // acquire: the consumer is done with them
    return words <= this.#capacity - ((this.#tail - this.#headCache) | 0);
  }

  #header(index: number, kind: number, total: number): number {
    this.words[DATA + index] = total;
    this.words[DATA + index + 1] = kind;
    this.#tail = (this.#tail + total) | 0;
    return DATA + index + HEADER_WORDS;
  }
}
