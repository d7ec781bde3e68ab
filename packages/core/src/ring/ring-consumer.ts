import { assert } from '../assert.js';
import { DATA, HEAD, HEADER_WORDS, PADDING, TAIL } from './ring-layout.js';

/**
 * The reading end of a ring. `next` walks the committed records in private; `release` gives back
 * the room of a record and everything before it. A consumer that attaches after a death meets again
 * what was never released.
 */
export class RingConsumer {
  /** The whole buffer; the body of the current record starts at `index`. */
  readonly words: Int32Array;
  kind = 0;
  index = 0;
  /** Position behind the current record: its name, and what `release` takes. */
  position: number;
  readonly #mask: number;
  #tailCache: number;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
    this.#mask = this.words.length - DATA - 1;
    this.position = Atomics.load(this.words, HEAD);
    this.#tailCache = this.position;
  }

  /** Words of the current record's body, filling included. */
  get bodyWords(): number {
    return this.index === 0 ? 0 : this.words[this.index - HEADER_WORDS] - HEADER_WORDS;
  }

  /** The part of the ring that holds what is committed and not released, from 0 to 1. */
  occupancy(): number {
    const used = (Atomics.load(this.words, TAIL) - Atomics.load(this.words, HEAD)) | 0;
    return used / (this.#mask + 1);
  }

  /** Moves to the next record; false if none is committed. */
  next(): boolean {
    for (;;) {
      if (this.position === this.#tailCache && !this.#refresh()) return false;
      const start = DATA + (this.position & this.#mask);
      const total = this.words[start];
      assert(total >= HEADER_WORDS && (total & 1) === 0, 'ring record without a length');
      this.position = (this.position + total) | 0;
      this.kind = this.words[start + 1];
      if (this.kind === PADDING) continue;
      this.index = start + HEADER_WORDS;
      return true;
    }
  }

  /** Gives back everything up to `position`. Release: the bodies have been read before. */
  release(position: number = this.position): void {
    Atomics.store(this.words, HEAD, position);
  }

  /** True if nothing is committed behind the current record. */
  isEmpty(): boolean {
    return this.position === this.#tailCache && !this.#refresh();
  }

  #refresh(): boolean {
    this.#tailCache = Atomics.load(this.words, TAIL); // acquire: the records up to it are complete
    return this.position !== this.#tailCache;
  }
}
