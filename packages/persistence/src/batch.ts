import type { StoredRecord } from './store.js';

/** Records on their way to one flush: the newest of each key, in the order that it requires. */
export class Batch {
  readonly #records: Map<string, StoredRecord> = new Map();

  get size(): number {
    return this.#records.size;
  }

  /** A worker that died while it answered hands over again, so a key may come twice. */
  add(record: StoredRecord): void {
    const id = `${record.map}\0${record.key}`; // neither has a NUL
    const present = this.#records.get(id);
    if (present === undefined || present.sequence < record.sequence) this.#records.set(id, record);
  }

  /** Empties the batch. */
  take(): StoredRecord[] {
    const records = [...this.#records.values()].sort(compareKeys);
    this.#records.clear();
    return records;
  }

  clear(): void {
    this.#records.clear();
  }
}

function compareKeys(left: StoredRecord, right: StoredRecord): number {
  if (left.map !== right.map) return left.map < right.map ? -1 : 1;
  return left.key < right.key ? -1 : left.key > right.key ? 1 : 0;
}
