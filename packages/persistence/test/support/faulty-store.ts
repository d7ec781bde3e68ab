import type { CollectionMark } from '@tidewire/core/threads';
import {
  type Opening,
  type PartitionFacts,
  type PartitionNumber,
  type Store,
  type StoredRecord,
  StoreError,
} from '#lib/store.js';

/**
 * What becomes of a call: it succeeds; it fails and nothing has happened; it fails and has happened all
 * the same, as a commit whose answer is lost.
 */
export type Fate = 'PASS' | 'FAIL' | 'LOSE';

const CALLS_A_TRY_MAX = 100;

/** A store whose calls fail as `fate` says. `open` does not: it is called once. */
export class FaultyStore implements Store {
  readonly #store: Store;
  readonly #fate: () => Fate;
  failures = 0;
  #callsUnderWay = 0;

  constructor(store: Store, fate: () => Fate) {
    this.#store = store;
    this.#fate = fate;
  }

  /** The store has not answered everything. */
  get isBusy(): boolean {
    return this.#callsUnderWay > 0;
  }

  open(options: { takeOver: boolean }): Promise<Opening> {
    return this.#store.open(options);
  }

  recover(onRecords: (records: StoredRecord[]) => Promise<void>): Promise<PartitionFacts> {
    return this.#call(() => this.#store.recover(onRecords));
  }

  flush(records: readonly StoredRecord[]): Promise<void> {
    return this.#call(() => this.#store.flush(records));
  }

  bury(record: StoredRecord, reason: string): Promise<void> {
    return this.#call(() => this.#store.bury(record, reason));
  }

  keepBases(bases: readonly PartitionNumber[]): Promise<void> {
    return this.#call(() => this.#store.keepBases(bases));
  }

  raiseCollected(marks: readonly CollectionMark[]): Promise<void> {
    return this.#call(() => this.#store.raiseCollected(marks));
  }

  /** Its number would be lost with the answer, so it fails without effect alone. */
  async forgetCollected(rowsMax: number): Promise<number> {
    if (this.#fate() !== 'PASS') throw this.#failure();
    return await this.#counted(() => this.#store.forgetCollected(rowsMax));
  }

  probe(): Promise<void> {
    return this.#call(() => this.#store.probe());
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #call<T>(call: () => Promise<T>): Promise<T> {
    const fate = this.#fate();
    if (fate === 'FAIL') throw this.#failure();
    const result = await this.#counted(call);
    if (fate === 'LOSE') throw this.#failure();
    return result;
  }

  async #counted<T>(call: () => Promise<T>): Promise<T> {
    this.#callsUnderWay++;
    try {
      return await call();
    } finally {
      this.#callsUnderWay--;
    }
  }

  #failure(): StoreError {
    this.failures++;
    return new StoreError('UNAVAILABLE', 'The database is away.');
  }
}

/** Repeats each call until it is not an outage that ends it, as write-behind does. */
export function persistent(store: Store): Store {
  const repeat = async <T>(call: () => Promise<T>): Promise<T> => {
    for (let i = 0; ; i++)
      try {
        return await call();
      } catch (error) {
        const isOutage = error instanceof StoreError && error.kind === 'UNAVAILABLE';
        if (!isOutage || i === CALLS_A_TRY_MAX) throw error;
      }
  };
  return {
    open: (options) => store.open(options),
    recover: (onRecords) => repeat(() => store.recover(onRecords)),
    flush: (records) => repeat(() => store.flush(records)),
    bury: (record, reason) => repeat(() => store.bury(record, reason)),
    keepBases: (bases) => repeat(() => store.keepBases(bases)),
    raiseCollected: (marks) => repeat(() => store.raiseCollected(marks)),
    forgetCollected: (rowsMax) => repeat(() => store.forgetCollected(rowsMax)),
    probe: () => repeat(() => store.probe()),
    close: () => store.close(),
  };
}
