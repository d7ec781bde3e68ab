/** A small generator of repeatable randomness (xorshift32, Marsaglia 2003); prints its seed. */
export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0 || 1;
    console.log(`# seed ${seed}`);
  }

  /** 32 random bits, unsigned. */
  word(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return this.#state >>> 0;
  }

  /** A whole number from 0 to `limit` − 1. */
  below(limit: number): number {
    return this.word() % limit;
  }

  chance(percent: number): boolean {
    return this.below(100) < percent;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)];
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.word() & 0xff);
  }
}

/** The seed of a random test: fixed, unless the environment names another. */
export const SEED: number = Number(process.env['SEED'] ?? 20_260_217);
