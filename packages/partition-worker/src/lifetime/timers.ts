import { partitionOf } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import { ABSENT, type RecordStore, SCAN_END } from '../store/record-store.js';
import { TimerHeap } from './timer-heap.js';

/** Entries beside twice as many as the last scan met: below it nothing is built anew. */
const SPARE_ENTRIES = 4096;
/** Records met in one step, at the end of a segment: some 50 µs. */
const VISITS_A_STEP = 256;
const NEVER: number = Number.POSITIVE_INFINITY;

/**
 * Tells which records come to their end, and when. Derived from the records and lost with the worker, as it
 * lies in its heap.
 *
 * Invariant: each record that ends has an entry not later than its end, or is still to be met by the
 * running scan. So an entry is a place and a time to look, no more: one whose record lives longer
 * enters again, one whose record is gone finds nothing. A write that postpones the end adds nothing.
 *
 * Entries without a record are got rid of by building anew: a scan of all partitions, step by step,
 * fills a second heap, which takes the place of the first; until then both count. Every instance begins
 * with such a scan, so a worker that replaces another one works at once.
 */
export class Timers {
  /** When presence records end that were recovered and not written since; 0: not known yet. */
  graceEndMs = 0;
  readonly #store: RecordStore;
  readonly #partitions: readonly number[];
  #heap: TimerHeap = new TimerHeap();
  /** Filled by the scan under way; undefined: none is. */
  #next: TimerHeap | undefined = new TimerHeap();
  /** Where the scan stands: index into #partitions, and segment. */
  #scanned = 0;
  #cursor = 0;
  #visits = 0;
  /** Entries after the last scan: about as many records end. */
  #base = 0;
  /** Of the records that `takeDue` looks at, the one that ends first, and when the others do. */
  #found: number = ABSENT;
  #foundMs: number = NEVER;
  #othersMs: number = NEVER;

  constructor(store: RecordStore, partitions: readonly number[]) {
    this.#store = store;
    this.#partitions = partitions;
  }

  get entries(): number {
    return this.#heap.count + (this.#next?.count ?? 0);
  }

  get isScanning(): boolean {
    return this.#next !== undefined;
  }

  /** Whether an entry asks to be looked at. */
  isDue(nowMs: number): boolean {
    return this.#earliest().firstMs <= nowMs;
  }

  /** `record` has replaced `old`, whole but for the first word, or ABSENT. */
  replaced(record: number, old: number): void {
    const endMs = this.#endOf(record);
    if (endMs === NEVER) return;
    if (old !== ABSENT && this.#endOf(old) <= endMs) return; // the entry of the old one will do
    this.#enter(endMs, record);
  }

  /** The record stands and may have no entry. */
  readonly meet: (record: number) => void = (record) => {
    const endMs = this.#endOf(record);
    if (endMs !== NEVER) this.#enter(endMs, record);
  };

  /** Looks at the record again at this time. */
  postpone(record: number, ms: number): void {
    this.#enter(ms, record);
  }

  /** One bounded step of the scan under way. Returns 0 if none is. */
  scan(): number {
    const next = this.#next;
    if (next === undefined) return 0;
    this.#visits = 0;
    while (this.#scanned < this.#partitions.length && this.#visits < VISITS_A_STEP) {
      const partition = this.#partitions[this.#scanned];
      this.#cursor = this.#store.scanSlice(partition, this.#cursor, this.#visit);
      if (this.#cursor < SCAN_END) continue;
      this.#cursor = 0;
      this.#scanned++;
    }
    if (this.#scanned === this.#partitions.length) {
      this.#heap = next;
      this.#base = next.count;
      this.#next = undefined;
    }
    return 1;
  }

  readonly #visit: (record: number) => void = (record) => {
    this.#visits++;
    this.meet(record);
  };

  /** Takes one entry that is due. Returns a record that has come to its end, or ABSENT. */
  takeDue(nowMs: number): number {
    const heap = this.#earliest();
    heap.pop();
    const { partition, indexHash } = heap;
    this.#found = ABSENT;
    this.#foundMs = NEVER;
    this.#othersMs = NEVER;
    this.#store.recordsWithHash(partition, indexHash, this.#look);
    const isEnded = this.#foundMs <= nowMs;
    // One entry for all that remain: else records of one hash would multiply their entries.
    const againMs = isEnded ? this.#othersMs : this.#foundMs;
    if (againMs !== NEVER) this.#target().push(againMs, partition, indexHash);
    return isEnded ? this.#found : ABSENT;
  }

  readonly #look: (record: number) => void = (record) => {
    const endMs = this.#endOf(record);
    if (endMs < this.#foundMs) {
      this.#othersMs = this.#foundMs;
      this.#foundMs = endMs;
      this.#found = record;
    } else if (endMs < this.#othersMs) this.#othersMs = endMs;
  };

  /** When the record ends by itself. */
  #endOf(record: number): number {
    const { words } = this.#store;
    const expiresAt = RecordLayout.expiresAtOf(words, record);
    const expiryMs = expiresAt === 0 ? NEVER : expiresAt;
    if (!RecordLayout.isPresence(words, record)) return expiryMs;
    if (RecordLayout.hasLeft(words, record)) return 0;
    const partition = partitionOf(words[record + RecordLayout.HASH]);
    const isRecovered =
      RecordLayout.sequenceOf(words, record) <= this.#store.journalFrom(partition);
    return isRecovered ? Math.min(expiryMs, this.graceEndMs) : expiryMs;
  }

  #enter(ms: number, record: number): void {
    const { words } = this.#store;
    const hash = words[record + RecordLayout.HASH];
    const indexHash = this.#store.indexHashOf(hash, RecordLayout.mapIdOf(words, record));
    this.#target().push(ms, partitionOf(hash), indexHash);
    if (this.#next === undefined && this.#heap.count > 2 * this.#base + SPARE_ENTRIES)
      this.#build();
  }

  #build(): void {
    this.#next = new TimerHeap();
    this.#scanned = 0;
  }

  /** Where new entries go: what the scan has passed would lose them in the first heap. */
  #target(): TimerHeap {
    return this.#next ?? this.#heap;
  }

  #earliest(): TimerHeap {
    const next = this.#next;
    return next !== undefined && next.firstMs < this.#heap.firstMs ? next : this.#heap;
  }
}
