/**
 * How many flushes of all workers may run for which nobody waits: each takes a core's time from the
 * work in front. Who finds none free is served in turn.
 */
export class FlushSlots {
  #free: number;
  readonly #waiting: Set<object> = new Set();

  constructor(count: number) {
    this.#free = count;
  }

  /** False if it is not the turn of `owner`, who waits from now on. */
  take(owner: object): boolean {
    this.#waiting.add(owner);
    if (!this.isTurnOf(owner)) return false;
    this.#waiting.delete(owner);
    this.#free--;
    return true;
  }

  /** Whether `take` would give one. */
  isTurnOf(owner: object): boolean {
    if (this.#free === 0) return false;
    if (!this.#waiting.has(owner)) return this.#waiting.size < this.#free;
    return [...this.#waiting].indexOf(owner) < this.#free;
  }

  /** `owner` has nothing to flush any more. */
  leave(owner: object): void {
    this.#waiting.delete(owner);
  }

  giveBack(): void {
    this.#free++;
  }
}
