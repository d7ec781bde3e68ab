/** The seed of a random test: fixed, unless the environment names another. */
export const SEED: number = Number(process.env['SEED'] ?? 20_260_217);

/** Repeatable randomness (xorshift32, Marsaglia 2003). */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % limit;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }
}
