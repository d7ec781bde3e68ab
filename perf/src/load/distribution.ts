import { type Random, seededRandom } from './random.js';

/**
 * How keys are chosen. `latest`: like `zipf`, counted back from the newest key (YCSB workload D).
 * `sequential`: each key once, in order, to fill a store.
 */
export type Distribution = 'uniform' | 'zipf' | 'latest' | 'sequential';

/** YCSB's constant. */
export const ZIPF_EXPONENT = 0.99;

const EXACT_TERMS = 10_000;
const DRAWS: number = 1 << 20;

/**
 * The generalised harmonic number: sum over i = 1 … count of i^-exponent, for exponents below 1.
 * Beyond the first terms by the Euler–Maclaurin formula.
 */
export function zeta(count: number, exponent: number): number {
  let sum = 0;
  const exact = Math.min(count, EXACT_TERMS);
  for (let i = 1; i <= exact; i++) sum += i ** -exponent;
  if (count === exact) return sum;
  const integral = (count ** (1 - exponent) - exact ** (1 - exponent)) / (1 - exponent);
  const ends = (count ** -exponent - exact ** -exponent) / 2;
  const slopes = (exponent * (exact ** (-exponent - 1) - count ** (-exponent - 1))) / 12;
  return sum + integral + ends + slopes;
}

/** Share of all draws that fall on `rank` (from 0) among `count` keys. */
export function zipfShare(rank: number, count: number): number {
  return (rank + 1) ** -ZIPF_EXPONENT / zeta(count, ZIPF_EXPONENT);
}

/** Draws ranks from 0, exactly Zipf-distributed, by searching the cumulated shares. */
class ZipfSampler {
  readonly #cumulated: Float64Array;
  readonly #random: Random;

  constructor(count: number, random: Random) {
    this.#random = random;
    this.#cumulated = new Float64Array(count);
    let sum = 0;
    for (let rank = 0; rank < count; rank++) {
      sum += (rank + 1) ** -ZIPF_EXPONENT;
      this.#cumulated[rank] = sum;
    }
  }

  rank(): number {
    const wanted = this.#random() * this.#cumulated[this.#cumulated.length - 1];
    let low = 0;
    let high = this.#cumulated.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#cumulated[middle] > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** `draws` numbers below `keys`, drawn before a run so that the run pays only for reading them. */
export function drawRanks(
  distribution: Distribution,
  keys: number,
  seed: number,
  draws: number = DRAWS,
): Uint32Array {
  const random = seededRandom(seed);
  const ranks = new Uint32Array(draws);
  if (distribution === 'uniform')
    for (let i = 0; i < draws; i++) ranks[i] = Math.floor(random() * keys);
  else {
    const sampler = new ZipfSampler(keys, random);
    for (let i = 0; i < draws; i++) ranks[i] = sampler.rank();
  }
  return ranks;
}

/** Hands out key numbers, one a request. Connections share `ranks`, each from its own place. */
export class KeySource {
  readonly #distribution: Distribution;
  readonly #ranks: Uint32Array;
  readonly #keys: number;
  readonly #connection: number;
  readonly #connections: number;
  #at: number;
  #inserted = 0;

  constructor(options: {
    distribution: Distribution;
    ranks: Uint32Array;
    start: number;
    keys: number;
    /** Among how many connections this is which: each inserts keys of its own. */
    connection: number;
    connections: number;
  }) {
    this.#distribution = options.distribution;
    this.#ranks = options.ranks;
    this.#at = options.distribution === 'sequential' ? options.start : options.start % DRAWS;
    this.#keys = options.keys;
    this.#connection = options.connection;
    this.#connections = options.connections;
  }

  next(): number {
    if (this.#distribution === 'sequential') return this.#at++;
    if (this.#at >= this.#ranks.length) this.#at = 0;
    const rank = this.#ranks[this.#at++];
    return this.#distribution === 'latest' ? this.#countedBack(rank) : rank;
  }

  /** A key that did not exist; from now on the newest that this connection knows of. */
  insert(): number {
    return this.#insertedKey(this.#inserted++);
  }

  #countedBack(rank: number): number {
    if (rank < this.#inserted) return this.#insertedKey(this.#inserted - 1 - rank);
    return Math.max(0, this.#keys - 1 - (rank - this.#inserted));
  }

  #insertedKey(index: number): number {
    return this.#keys + index * this.#connections + this.#connection;
  }
}
