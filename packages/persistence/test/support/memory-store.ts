import { EPOCHS_KEPT, PARTITIONS } from '@tidewire/core';
import type { CollectionMark } from '@tidewire/core/threads';
import {
  type Opening,
  type PartitionFacts,
  type PartitionNumber,
  type Store,
  type StoredRecord,
  StoreError,
} from '#lib/store.js';

const NOTHING: Omit<CollectionMark, 'partition'> = { sequence: 0, ms: 0, counter: 0, node: 0 };

/** What all stores on one place share; nothing is lost while this object lives. */
export class Place {
  readonly number: bigint = BigInt(++places);
  readonly rows: Map<string, StoredRecord> = new Map();
  readonly letters: Map<string, StoredRecord> = new Map();
  /** Epoch → partition → sequence. */
  readonly bases: Map<number, Map<number, number>> = new Map();
  readonly collected: Map<number, CollectionMark> = new Map();
  epoch = 0;
  holder: MemoryStore | undefined;
  readonly #isGuarded: boolean;

  /** `isGuarded` false: the rule of the order of writes is broken. */
  constructor(options: { isGuarded: boolean } = { isGuarded: true }) {
    this.#isGuarded = options.isGuarded;
  }

  /** What every write does, also one that arrives late. */
  write(table: Map<string, StoredRecord>, record: StoredRecord): void {
    const standing = table.get(idOf(record));
    if (standing === undefined || !this.#isGuarded || compareRecords(standing, record) < 0)
      table.set(idOf(record), { ...record, value: Uint8Array.from(record.value) });
  }
}

let places = 0;

/** The store of stores: all of the contract, without a database. */
export class MemoryStore implements Store {
  readonly #place: Place;
  #epoch = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  async open({ takeOver }: { takeOver: boolean }): Promise<Opening> {
    if (this.#place.holder !== undefined && !takeOver)
      throw new StoreError('LOCKED', 'Another one writes here.');
    this.#place.holder = this;
    this.#epoch = ++this.#place.epoch;
    return { epoch: this.#epoch, store: this.#place.number };
  }

  async recover(onRecords: (records: StoredRecord[]) => Promise<void>): Promise<PartitionFacts> {
    this.#requireFence();
    const { rows, letters, collected } = this.#place;
    const records = [...rows.values(), ...letters.values()];
    await onRecords(records);
    return {
      sequences: [...this.#numbers()].map(([partition, sequence]) => ({ partition, sequence })),
      bases: this.#bases(),
      collected: [...collected.values()],
    };
  }

  async flush(records: readonly StoredRecord[]): Promise<void> {
    this.#requireFence();
    for (const record of records) this.#place.write(this.#place.rows, record);
  }

  async bury(record: StoredRecord): Promise<void> {
    this.#requireFence();
    this.#place.write(this.#place.letters, record);
  }

  async keepBases(bases: readonly PartitionNumber[]): Promise<void> {
    this.#requireFence();
    const all = this.#place.bases;
    const kept = all.get(this.#epoch) ?? new Map<number, number>();
    all.set(this.#epoch, kept);
    for (const { partition, sequence } of bases) raise(kept, partition, sequence);
    for (const epoch of all.keys()) if (epoch < this.#epoch - EPOCHS_KEPT) all.delete(epoch);
  }

  async raiseCollected(marks: readonly CollectionMark[]): Promise<void> {
    this.#requireFence();
    const { collected } = this.#place;
    for (const mark of marks) {
      const known = collected.get(mark.partition) ?? { ...NOTHING, partition: mark.partition };
      const stamp = compareStamps(known, mark) < 0 ? mark : known;
      const sequence = Math.max(known.sequence, mark.sequence);
      collected.set(mark.partition, { ...stamp, sequence });
    }
  }

  async forgetCollected(rowsMax: number): Promise<number> {
    this.#requireFence();
    const { rows, letters } = this.#place;
    const covered = [...rows.values()].filter((row) => this.#isCovered(row)).slice(0, rowsMax);
    for (const row of covered) {
      rows.delete(idOf(row));
      const letter = letters.get(idOf(row));
      if (letter !== undefined && compareRecords(letter, row) <= 0) letters.delete(idOf(row));
    }
    return covered.length;
  }

  async probe(): Promise<void> {
    this.#requireFence();
  }

  async close(): Promise<void> {
    if (this.#place.holder === this) this.#place.holder = undefined;
  }

  #isCovered(row: StoredRecord): boolean {
    const mark = this.#place.collected.get(row.partition);
    if (mark === undefined || !row.deleted) return false;
    return row.sequence <= mark.sequence && compareStamps(row, mark) <= 0;
  }

  #numbers(): Map<number, number> {
    const { bases, collected, letters } = this.#place;
    const numbers = new Map<number, number>();
    for (const kept of bases.values())
      for (const [partition, sequence] of kept) raise(numbers, partition, sequence);
    for (const each of [...collected.values(), ...letters.values()])
      raise(numbers, each.partition, each.sequence);
    return numbers;
  }

  #bases(): Map<number, Float64Array> {
    const bases = new Map<number, Float64Array>();
    for (const [epoch, kept] of this.#place.bases) {
      if (epoch >= this.#epoch || epoch < this.#epoch - EPOCHS_KEPT) continue;
      const sequences = new Float64Array(PARTITIONS);
      for (const [partition, sequence] of kept) sequences[partition] = sequence;
      bases.set(epoch, sequences);
    }
    return bases;
  }

  #requireFence(): void {
    if (this.#epoch !== this.#place.epoch) throw new StoreError('FENCED', 'It was taken over.');
  }
}

export function idOf({ map, key }: Pick<StoredRecord, 'map' | 'key'>): string {
  return `${map}\0${key}`;
}

/** The order of writes: above 0 if `left` is the later one. */
export function compareRecords(left: StoredRecord, right: StoredRecord): number {
  return (
    compareStamps(left, right) ||
    Number(left.deleted) - Number(right.deleted) ||
    Buffer.compare(left.value, right.value) ||
    left.kind - right.kind ||
    left.expiresAt - right.expiresAt
  );
}

type Stamp = Pick<StoredRecord, 'ms' | 'counter' | 'node'>;

function compareStamps(left: Stamp, right: Stamp): number {
  return left.ms - right.ms || left.counter - right.counter || left.node - right.node;
}

function raise(numbers: Map<number, number>, partition: number, sequence: number): void {
  numbers.set(partition, Math.max(sequence, numbers.get(partition) ?? 0));
}
