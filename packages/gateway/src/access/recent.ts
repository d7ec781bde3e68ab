/** Remembers what was asked for lately: the last `count` different keys at least, twice as many at most. */
export class Recent<Key, Value> {
  readonly #count: number;
  #newer: Map<Key, Value> = new Map();
  #older: Map<Key, Value> = new Map();

  constructor(count: number) {
    this.#count = count;
  }

  get(key: Key): Value | undefined {
    const newer = this.#newer.get(key);
    if (newer !== undefined) return newer;
    const older = this.#older.get(key);
    if (older !== undefined) this.set(key, older);
    return older;
  }

  set(key: Key, value: Value): void {
    if (this.#newer.size >= this.#count) {
      this.#older = this.#newer;
      this.#newer = new Map();
    }
    this.#newer.set(key, value);
  }
}
