/**
 * A rate with a burst: tokens drip in, up to a second's worth or the burst named, and what is done takes some. A taker may
 * go below zero by its last taking, so that what is larger than the burst is only late, never refused
 * for ever.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #level: number;
  #filledMs: number;

  /** Full. @param nowMs of a clock that never goes back */
  constructor(perSecond: number, nowMs: number, burst: number = perSecond) {
    this.#perMs = perSecond / 1000;
    this.#burst = burst;
    this.#level = burst;
    this.#filledMs = nowMs;
  }

  /** Takes `count` if there is a token at all; false: nothing was taken. */
  take(count: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#level <= 0) return false;
    this.#level -= count;
    return true;
  }

  /** Takes `count` for what cannot be undone. */
  charge(count: number, nowMs: number): void {
    this.#fill(nowMs);
    this.#level -= count;
  }

  /** Milliseconds until something may be taken; 0: now. */
  waitMs(nowMs: number): number {
    this.#fill(nowMs);
    return this.#level > 0 ? 0 : Math.floor(-this.#level / this.#perMs) + 1;
  }

  #fill(nowMs: number): void {
    this.#level = Math.min(this.#burst, this.#level + (nowMs - this.#filledMs) * this.#perMs);
    this.#filledMs = nowMs;
  }
}
