const CAPACITY_MIN = 1024;

/**
 * Times at which to look at an index hash of a partition, the earliest first: a binary heap in three
 * arrays beside each other, 14 bytes an entry, none of them an object.
 */
export class TimerHeap {
  /** Of the entry that `pop` has taken. */
  partition = 0;
  indexHash = 0;
  #times: Float64Array = new Float64Array(CAPACITY_MIN);
  #partitions: Uint16Array = new Uint16Array(CAPACITY_MIN);
  #indexHashes: Int32Array = new Int32Array(CAPACITY_MIN);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  /** The earliest time; never, if there is no entry. */
  get firstMs(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#times[0];
  }

  push(ms: number, partition: number, indexHash: number): void {
    if (this.#count === this.#times.length) this.#grow();
    let at = this.#count++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#times[parent] <= ms) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#set(at, ms, partition, indexHash);
  }

  /** Takes the earliest entry. REQUIRES: there is one. */
  pop(): void {
    this.partition = this.#partitions[0];
    this.indexHash = this.#indexHashes[0];
    const last = --this.#count;
    const ms = this.#times[last];
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= last) break;
      if (child + 1 < last && this.#times[child + 1] < this.#times[child]) child++;
      if (this.#times[child] >= ms) break;
      this.#move(child, at);
      at = child;
    }
    this.#set(at, ms, this.#partitions[last], this.#indexHashes[last]);
  }

  #move(from: number, to: number): void {
    this.#set(to, this.#times[from], this.#partitions[from], this.#indexHashes[from]);
  }

  #set(at: number, ms: number, partition: number, indexHash: number): void {
    this.#times[at] = ms;
    this.#partitions[at] = partition;
    this.#indexHashes[at] = indexHash;
  }

  #grow(): void {
    const times = new Float64Array(2 * this.#count);
    const partitions = new Uint16Array(2 * this.#count);
    const indexHashes = new Int32Array(2 * this.#count);
    times.set(this.#times);
    partitions.set(this.#partitions);
    indexHashes.set(this.#indexHashes);
    this.#times = times;
    this.#partitions = partitions;
    this.#indexHashes = indexHashes;
  }
}
