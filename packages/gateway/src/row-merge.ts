import { assert } from '@tidewire/core';

/** A row of a sorted answer. */
export interface Row {
  readonly sortKey: Uint8Array;
  /** UTF-8 bytes: rows of the same sort key go by it, ascending also where the sort keys descend. */
  readonly key: Uint8Array;
  /** An Event as an entry of Rows. */
  readonly event: Uint8Array;
}

interface Input {
  rows: readonly Row[];
  next: number;
  isEnded: boolean;
}

/** Merges sorted rows of several workers to one order, as far as all of them have said what is next. */
export class RowMerge {
  readonly #sign: number;
  readonly #inputs: Map<number, Input>;

  constructor(workers: number, isDescending: boolean) {
    this.#sign = isDescending ? -1 : 1;
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
      if (row !== undefined && (first === undefined || this.#isBefore(row, first))) first = input;
    }
    return first?.rows[first.next++];
  }

  #isBefore(row: Row, { rows, next }: Input): boolean {
    const other = rows[next];
    const bySortKey = this.#sign * Buffer.compare(row.sortKey, other.sortKey);
    return (bySortKey || Buffer.compare(row.key, other.key)) < 0;
  }

  #inputOf(worker: number): Input {
    const input = this.#inputs.get(worker);
    assert(input !== undefined, 'every worker has its input');
    return input;
  }
}
