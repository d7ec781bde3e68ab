import { CLIENT_ROWS_BYTES_MAX, Code } from '@tidewire/core';
import type { Event } from '@tidewire/schemas';
import { TidewireError } from './error.js';

/** Where the rows of a query go. */
export interface RowSink {
  rows(rows: readonly Event[]): void;
  /** Forgets all rows, because they come again; false if some have been given away. */
  restart(): boolean;
  /** `count`: how many records matched, whatever the limit. */
  done(count: number): void;
  fail(error: TidewireError): void;
}

/** Keeps all rows until the last has come. */
export class RowCollection implements RowSink {
  readonly whole: Promise<{ readonly rows: readonly Event[]; readonly count: number }>;
  #rows: Event[] = [];
  #bytes = 0;
  #resolve: (whole: { rows: readonly Event[]; count: number }) => void = () => {};
  #reject: (error: TidewireError) => void = () => {};

  constructor() {
    this.whole = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  rows(rows: readonly Event[]): void {
    this.#bytes += bytesOf(rows);
    if (this.#bytes > CLIENT_ROWS_BYTES_MAX)
      throw new TidewireError(
        Code.TOO_LARGE,
        `The rows have more than ${CLIENT_ROWS_BYTES_MAX} bytes: list them, or set a limit.`,
      );
    this.#rows.push(...rows);
  }

  restart(): boolean {
    this.#rows = [];
    this.#bytes = 0;
    return true;
  }

  done(count: number): void {
    this.#resolve({ rows: this.#rows, count });
  }

  fail(error: TidewireError): void {
    this.#reject(error);
  }
}

/** Gives rows away as they come; holds those that nobody has taken yet. */
export class RowQueue implements RowSink {
  #rows: Event[] = [];
  #bytes = 0;
  #isBegun = false;
  #end: { readonly error: TidewireError | undefined } | undefined;
  #wake: () => void = () => {};

  /** Everything that has come since; undefined at the end. @throws what ended it early. */
  async take(): Promise<readonly Event[] | undefined> {
    while (this.#rows.length === 0 && this.#end === undefined)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    if (this.#end?.error) throw this.#end.error;
    if (this.#rows.length === 0) return undefined;
    const rows = this.#rows;
    this.#isBegun = true;
    this.#rows = [];
    this.#bytes = 0;
    return rows;
  }

  rows(rows: readonly Event[]): void {
    this.#bytes += bytesOf(rows);
    if (this.#bytes > CLIENT_ROWS_BYTES_MAX)
      throw new TidewireError(
        Code.SLOW_CONSUMER,
        `More than ${CLIENT_ROWS_BYTES_MAX} bytes of rows wait to be taken.`,
      );
    this.#rows.push(...rows);
    this.#wake();
  }

  restart(): boolean {
    if (this.#isBegun) return false;
    this.#rows = [];
    this.#bytes = 0;
    return true;
  }

  done(): void {
    this.#finish(undefined);
  }

  fail(error: TidewireError): void {
    this.#finish(error);
  }

  #finish(error: TidewireError | undefined): void {
    this.#end = { error };
    this.#wake();
  }
}

function bytesOf(rows: readonly Event[]): number {
  return rows.reduce((sum, { key, value }) => sum + key.length + value.length, 0);
}
