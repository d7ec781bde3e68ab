/** Parts of a second, counted from the time's origin: each is due once. */
export class Beat {
  readonly perSecond: number;
  #part = Number.NaN;

  constructor(perSecond: number) {
    this.perSecond = perSecond;
  }

  /** True once in every part, late or not. */
  isDue(elapsedMs: number): boolean {
    const part = this.#partOf(elapsedMs);
    if (part === this.#part) return false;
    this.#part = part;
    return true;
  }

  /** Milliseconds until the next part begins. */
  msLeft(elapsedMs: number): number {
    return ((this.#partOf(elapsedMs) + 1) * 1000) / this.perSecond - elapsedMs;
  }

  #partOf(elapsedMs: number): number {
    return Math.floor((elapsedMs * this.perSecond) / 1000);
  }
}
