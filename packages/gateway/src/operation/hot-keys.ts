/** How often a key was met, at least and at most, in parts of all that were. */
export interface HotKey {
  readonly map: string;
  readonly key: string;
  readonly share: number;
}

interface Counter {
  readonly map: string;
  readonly key: string;
  count: number;
}

const COUNTERS_MAX = 128;
/** One operation in so many is looked at, on average. */
const STRIDE = 256;
/** What was met before counts half as much after so many. */
const HALVING = 4096;

/**
 * The keys that are asked for most, lately: a sample of the operations in a space-saving sketch. A new key
 * takes the place of the rarest, and its count, so a key that is asked for more than one time in
 * COUNTERS_MAX is among them, and none is shown as less than it is.
 */
export class HotKeys {
  readonly #counters: Map<string, Counter> = new Map();
  #met = 0;
  #skip = STRIDE;
  #state = 1;

  /** Call for every operation; true: this one is to be met. */
  isDue(): boolean {
    if (--this.#skip > 0) return false;
    this.#skip = this.#nextSkip();
    return true;
  }

  meet(map: string, key: string): void {
    const name = `${map}\0${key}`;
    const known = this.#counters.get(name);
    if (known !== undefined) known.count++;
    else if (this.#counters.size < COUNTERS_MAX) this.#counters.set(name, { map, key, count: 1 });
    else this.#replaceRarest(name, { map, key, count: 1 });
    if (++this.#met === HALVING) this.#halve();
  }

  /** The hottest first. */
  top(count: number): HotKey[] {
    return [...this.#counters.values()]
      .sort((a, b) => b.count - a.count)
      .slice(0, count)
      .map(({ map, key, count: times }) => ({ map, key, share: times / this.#met }));
  }

  #replaceRarest(name: string, counter: Counter): void {
    let rarest = '';
    let lowest = Number.POSITIVE_INFINITY;
    for (const [other, { count }] of this.#counters)
      if (count < lowest) {
        lowest = count;
        rarest = other;
      }
    this.#counters.delete(rarest);
    counter.count += lowest;
    this.#counters.set(name, counter);
  }

  #halve(): void {
    this.#met /= 2;
    for (const [name, counter] of this.#counters) {
      counter.count /= 2;
      if (counter.count < 1) this.#counters.delete(name);
    }
  }

  /** 1 to 511, so that no rhythm of the operations is met always or never. */
  #nextSkip(): number {
    this.#state = (Math.imul(this.#state, 1_103_515_245) + 12_345) | 0;
    return 1 + ((this.#state >>> 16) % (2 * STRIDE - 1));
  }
}
