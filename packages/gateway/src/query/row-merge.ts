import { assert } from '@tidewire/core';
import { type Row, type RowOrder, rowOrder } from '@tidewire/core/threads';

interface Input {
  rows: readonly Row[];
  next: number;
  isEnded: boolean;
}

/** Merges sorted rows of several workers to one order, as far as all of them have said what is next. */
export class RowMerge {
  readonly #compare: RowOrder;
  readonly #inputs: Map<number, Input>;

  constructor(workers: number, isDescending: boolean) {
    this.#compare = rowOrder(isDescending);
    this.#inputs = new Map(
      Array.from({ length: workers }, (_, worker) => [
        worker,
        { rows: [], next: 0, isEnded: false },
      ]),
    );
  }

  add(worker: number, rows: readonly Row[], isEnded: boolean): void {
    const input = this.#inputOf(worker);
    input.rows = [...input.rows.slice(input.next), ...rows];
    input.next = 0;
    input.isEnded = isEnded;
  }

  /** The worker begins anew. */
  reset(worker: number): void {
    this.#inputs.set(worker, { rows: [], next: 0, isEnded: false });
  }

  /** True once all rows of this worker that were added have been taken. */
  isSpent(worker: number): boolean {
    const { rows, next } = this.#inputOf(worker);
    return next === rows.length;
  }

  /** The next row in order; undefined: there is none, or a worker has still to say its next. */
  take(): Row | undefined {
    let first: Input | undefined;
    for (const input of this.#inputs.values()) {
      const row = input.rows[input.next];
      if (row === undefined && !input.isEnded) return undefined;
      if (row === undefined) continue;
      if (first === undefined || this.#compare(row, first.rows[first.next]) < 0) first = input;
    }
    return first?.rows[first.next++];
  }

  #inputOf(worker: number): Input {
    const input = this.#inputs.get(worker);
    assert(input !== undefined, 'every worker has its input');
    return input;
  }
}
