import { type Store, type StoredRecord, StoreError } from '#lib/store.js';
import type { Place } from './memory-store.js';

/** A flush that the database has not answered. */
interface Held {
  readonly records: readonly StoredRecord[];
  resolve(): void;
  reject(error: StoreError): void;
}

/**
 * A store on a place whose flushes end when and how the schedule says; all else goes through. One flush
 * at a time, as a worker's are.
 */
export class HeldStore {
  readonly store: Store;
  readonly #place: Place;
  readonly #error: () => StoreError;
  #held: Held | undefined;

  /** `StoreErrorClass`: of the build under test. */
  constructor(inner: Store, place: Place, StoreErrorClass: typeof StoreError = StoreError) {
    this.#place = place;
    this.#error = () => new StoreErrorClass('UNAVAILABLE', 'The database is away.');
    this.store = {
      open: (options) => inner.open(options),
      recover: (onRecords) => inner.recover(onRecords),
      flush: (records) =>
        new Promise((resolve, reject) => {
          this.#held = { records, resolve, reject };
        }),
      bury: (record, reason) => inner.bury(record, reason),
      keepBases: (bases) => inner.keepBases(bases),
      raiseCollected: (marks) => inner.raiseCollected(marks),
      forgetCollected: (rowsMax) => inner.forgetCollected(rowsMax),
      probe: () => inner.probe(),
      close: () => inner.close(),
    };
  }

  get isHeld(): boolean {
    return this.#held !== undefined;
  }

  /** Of the flush under way, ascending. */
  get keys(): string[] {
    return (this.#held?.records ?? []).map(({ key }) => key);
  }

  commit(): void {
    const held = this.#take();
    writeAll(this.#place, held.records);
    held.resolve();
  }

  /** Nothing has happened, or nobody knows: returns what may still arrive. */
  fail(): readonly StoredRecord[] {
    const held = this.#take();
    held.reject(this.#error());
    return held.records;
  }

  /** Nobody waits for it any more. */
  abandon(): readonly StoredRecord[] {
    const records = this.#held?.records ?? [];
    this.#held = undefined;
    return records;
  }

  #take(): Held {
    const held = this.#held;
    if (held === undefined) throw new Error('no flush is under way');
    this.#held = undefined;
    return held;
  }
}

/** What a statement does, also one of an earlier attempt. */
export function writeAll(place: Place, records: readonly StoredRecord[]): void {
  for (const record of records) place.write(place.rows, record);
}
