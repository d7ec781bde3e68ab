import { type Row, type RowOrder, rowOrder } from '@tidewire/core/threads';

/** The first rows of an order, at most so many. A heap with the last row on top, for that one is replaced. */
export class TopRows {
  /** Bytes of what it holds. */
  bytes = 0;
  readonly #limit: number;
  readonly #compare: RowOrder;
  readonly #heap: Row[] = [];

  constructor(limit: number, isDescending: boolean) {
    this.#limit = limit;
    this.#compare = rowOrder(isDescending);
  }

  /** Whether a row of these keys is among the first, so far. */
  takes(sortKey: Uint8Array, key: Uint8Array): boolean {
    return this.#heap.length < this.#limit || this.#compare(this.#heap[0], { sortKey, key }) > 0;
  }

  /** REQUIRES: `takes` has said so. */
  add(row: Row): void {
    this.bytes += bytesOf(row);
    if (this.#heap.length < this.#limit) this.#rise(row);
    else {
      this.bytes -= bytesOf(this.#heap[0]);
      this.#sink(row);
    }
  }

  /** Takes all rows out, in order. */
  drain(): Row[] {
    this.bytes = 0;
    return this.#heap.splice(0).sort(this.#compare);
  }

  /** Puts a row at the heap's end and carries it up. */
  #rise(row: Row): void {
    const heap = this.#heap;
    let at = heap.length;
    for (; at > 0; at = (at - 1) >> 1) {
      const parent = heap[(at - 1) >> 1];
      if (this.#compare(parent, row) >= 0) break;
      heap[at] = parent;
    }
    heap[at] = row;
  }

  /** Puts a row in the place of the top and carries it down. */
  #sink(row: Row): void {
    const heap = this.#heap;
    let at = 0;
    for (let child = 1; child < heap.length; child = 2 * at + 1) {
      if (child + 1 < heap.length && this.#compare(heap[child + 1], heap[child]) > 0) child++;
      if (this.#compare(row, heap[child]) >= 0) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = row;
  }
}

/** What a row counts. */
export function bytesOf({ sortKey, key, event }: Row): number {
  return sortKey.length + key.length + event.length;
}
