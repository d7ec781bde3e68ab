import { RING_CONTROL_DIVISOR, RING_SHARED_DIVISOR } from '@tidewire/core';
import type { RingProducer } from '@tidewire/core/threads';

/**
 * Shares out the upper end of a request ring between its callers, so that one of them cannot take the room
 * of all. Below the high mark everybody may claim, and nobody is counted.
 *
 * Above it the nth caller to come may claim an nth of what is still free: then an (n + 1)th of the upper
 * end is left for whoever comes next. Counting begins anew, in rounds, whenever the worker has
 * taken all that was in the ring when it began.
 */
export class RingShares {
  readonly #ring: RingProducer;
  readonly #highWords: number;
  readonly #fullWords: number;
  /** Words claimed above the mark, by caller, and the round that they are of. */
  #taken: Int32Array = new Int32Array(0);
  #rounds: Int32Array = new Int32Array(0);
  #round = 0;
  #roundEnd = 0;
  #isAbove = false;
  /** Of this round. */
  #callers = 0;

  constructor(ring: RingProducer) {
    const { capacity } = ring;
    this.#ring = ring;
    this.#highWords = capacity - capacity / RING_SHARED_DIVISOR;
    this.#fullWords = capacity - capacity / RING_CONTROL_DIVISOR;
  }

  /** May this caller claim so many words now? Counts them if so. */
  admits(caller: number, words: number): boolean {
    const used = this.#ring.used();
    if (used <= this.#highWords) {
      this.#isAbove = false;
      return true;
    }
    if (!this.#isAbove || this.#ring.hasTaken(this.#roundEnd)) this.#begin();
    return this.#take(caller, words, this.#fullWords - used);
  }

  #begin(): void {
    this.#isAbove = true;
    this.#round++;
    this.#roundEnd = this.#ring.tail;
    this.#callers = 0;
  }

  /** Whoever has claimed nothing in this round may claim one record of any length. */
  #take(caller: number, words: number, freeWords: number): boolean {
    if (caller >= this.#rounds.length) this.#grow(caller);
    const isNew = this.#rounds[caller] !== this.#round;
    const taken = (isNew ? 0 : this.#taken[caller]) + words;
    if (isNew) this.#callers++;
    else if (taken * this.#callers > freeWords) return false;
    this.#rounds[caller] = this.#round;
    this.#taken[caller] = taken;
    return true;
  }

  #grow(caller: number): void {
    const length = Math.max(64, 2 ** Math.ceil(Math.log2(caller + 1)));
    this.#rounds = grown(this.#rounds, length);
    this.#taken = grown(this.#taken, length);
  }
}

function grown(array: Int32Array, length: number): Int32Array {
  const longer = new Int32Array(length);
  longer.set(array);
  return longer;
}
