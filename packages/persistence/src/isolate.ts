import { BATCH_RECORDS_MAX, DAMAGED_ATTEMPTS_MAX } from '@tidewire/core';
import { type Store, type StoredRecord, StoreError } from './store.js';

const SUSPECTS_MAX = 16;

/**
 * Flushes the batches of one worker as far as the store takes them. A batch that it rejects is halved
 * until the records that cannot be stored stand alone; those are buried. One that meets damage is found
 * in the same way; it fails the batch, as in an outage, and is buried when it has done so several times.
 */
export class Isolator {
  readonly #store: Store;
  readonly #onBuried: (record: StoredRecord, code: string) => void;
  /** Told of: an outage later in a batch makes it come again. The newest, as many as a batch holds. */
  readonly #buried: Set<string> = new Set();
  /** Of the records that met damage alone last, by name: how often, always with one code. */
  readonly #suspects: Map<string, { readonly code: string; readonly failures: number }> = new Map();

  /** `onBuried` is told once of each, with the store's code: its message may quote the value. */
  constructor(store: Store, onBuried: (record: StoredRecord, code: string) => void) {
    this.#store = store;
    this.#onBuried = onBuried;
  }

  /** Rejects with StoreError, never REJECTED unless the store will not bury either. */
  async flush(records: readonly StoredRecord[]): Promise<void> {
    try {
      await this.#store.flush(records);
    } catch (error) {
      if (!(error instanceof StoreError) || !this.#isAboutRecords(records, error)) throw error;
      if (records.length === 1) return await this.#bury(records[0], error);
      const half = records.length >> 1;
      await this.flush(records.slice(0, half));
      await this.flush(records.slice(half));
    }
  }

  #isAboutRecords(records: readonly StoredRecord[], { kind, code }: StoreError): boolean {
    if (kind === 'REJECTED') return true;
    if (kind !== 'DAMAGED') return false;
    if (records.length > 1 || this.#buried.has(writeOf(records[0]))) return true;
    return this.#suspect(nameOf(records[0]), code) >= DAMAGED_ATTEMPTS_MAX;
  }

  /** Two batches may meet one each at the same time. Returns how often this one has been met. */
  #suspect(name: string, code: string): number {
    const before = this.#suspects.get(name);
    const failures = before?.code === code ? before.failures + 1 : 1;
    this.#suspects.delete(name);
    this.#suspects.set(name, { code, failures });
    const [oldest] = this.#suspects.keys();
    if (this.#suspects.size > SUSPECTS_MAX) this.#suspects.delete(oldest);
    return failures;
  }

  async #bury(record: StoredRecord, { message, code }: StoreError): Promise<void> {
    await this.#store.bury(record, message);
    const write = writeOf(record);
    if (this.#buried.has(write)) return;
    this.#buried.add(write);
    const [oldest] = this.#buried;
    if (this.#buried.size > BATCH_RECORDS_MAX) this.#buried.delete(oldest);
    this.#onBuried(record, code);
  }
}

function nameOf({ map, key }: StoredRecord): string {
  return `${map}\0${key}`; // neither has a NUL
}

function writeOf(record: StoredRecord): string {
  const { ms, counter, node } = record;
  return `${nameOf(record)}\0${ms} ${counter} ${node}`;
}
