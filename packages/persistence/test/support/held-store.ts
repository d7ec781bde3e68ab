import { type Store, type StoredRecord, StoreError } from '#lib/store.js';
import type { Place } from './memory-store.js';

/** A flush that the database has not answered. */
interface Held {
  readonly records: readonly StoredRecord[];
  resolve(): void;
  reject(error: StoreError): void;
}

/**
 * A store on a place whose flushes end when and how the schedule says, in whatever order; all else goes
 * through.
 */
export class HeldStore {
  readonly store: Store;
  readonly #place: Place;
  readonly #error: () => StoreError;
  /** Oldest first. */
  readonly #held: Held[] = [];

  /** `StoreErrorClass`: of the build under test. */
  constructor(inner: Store, place: Place, StoreErrorClass: typeof StoreError = StoreError) {
    this.#place = place;
    this.#error = () => new StoreErrorClass('UNAVAILABLE', 'The database is away.');
    this.store = {
      open: (options) => inner.open(options),
      recover: (onRecords) => inner.recover(onRecords),
      flush: (records) =>
        new Promise((resolve, reject) => {
          this.#held.push({ records, resolve, reject });
        }),
      bury: (record, reason) => inner.bury(record, reason),
      keepBases: (bases) => inner.keepBases(bases),
      raiseCollected: (marks) => inner.raiseCollected(marks),
      forgetCollected: (rowsMax) => inner.forgetCollected(rowsMax),
      probe: () => inner.probe(),
      close: () => inner.close(),
    };
  }

  /** Flushes under way. */
  get count(): number {
    return this.#held.length;
  }

  /** Of a flush under way, the oldest being 0: ascending. */
  keysOf(flush: number): string[] {
    return (this.#held[flush]?.records ?? []).map(({ key }) => key);
  }

  commit(flush: number): void {
    const held = this.#take(flush);
    writeAll(this.#place, held.records);
    held.resolve();
  }

  /** Nothing has happened, or nobody knows: returns what may still arrive. */
  fail(flush: number): readonly StoredRecord[] {
    const held = this.#take(flush);
    held.reject(this.#error());
    return held.records;
  }

  /** Nobody waits for them any more. */
  abandon(): (readonly StoredRecord[])[] {
    return this.#held.splice(0).map(({ records }) => records);
  }

  #take(flush: number): Held {
    const [held] = this.#held.splice(flush, 1);
    if (held === undefined) throw new Error('no such flush is under way');
    return held;
  }
}

/** What a statement does, also one of an earlier attempt. */
export function writeAll(place: Place, records: readonly StoredRecord[]): void {
  for (const record of records) place.write(place.rows, record);
}
