import type { CollectionMark } from '@tidewire/core/threads';
import {
  type Opening,
  type PartitionFacts,
  type PartitionNumber,
  type Store,
  type StoredRecord,
  StoreError,
} from '#lib/store.js';

interface Call {
  readonly records: readonly StoredRecord[];
  settle(error?: StoreError): Promise<void>;
}

/** A store whose flushes end when and how the test says. */
export class FakeStore implements Store {
  readonly calls: Call[] = [];
  readonly buried: StoredRecord[] = [];
  /** Records that `recover` hands over, in groups. */
  groups: StoredRecord[][] = [];
  sequences: PartitionNumber[] = [];
  collected: CollectionMark[] = [];
  /** What `raiseCollected` was given, by call, and how many rows each `forgetCollected` finds. */
  readonly raised: CollectionMark[][] = [];
  forgotten: number[] = [];
  collectError: StoreError | undefined;
  /** What `keepBases` was given, by call. */
  readonly kept: PartitionNumber[][] = [];
  keepError: StoreError | undefined;
  probeError: StoreError | undefined;
  /** Keys that are rejected at once. */
  rejected: ReadonlySet<string> = new Set();
  /** Keys whose row is damaged. */
  damaged: ReadonlySet<string> = new Set();

  async open(): Promise<Opening> {
    return { epoch: 1, store: 1n };
  }

  async recover(onRecords: (records: StoredRecord[]) => Promise<void>): Promise<PartitionFacts> {
    for (const group of this.groups) await onRecords(group);
    return { sequences: this.sequences, bases: new Map(), collected: this.collected };
  }

  flush(records: readonly StoredRecord[]): Promise<void> {
    if (records.some(({ key }) => this.rejected.has(key)))
      return Promise.reject(
        new StoreError('REJECTED', 'The record is refused.', undefined, '22012'),
      );
    if (records.some(({ key }) => this.damaged.has(key)))
      return Promise.reject(new StoreError('DAMAGED', 'The row is damaged.', undefined, 'XX001'));
    return new Promise((resolve, reject) => {
      this.calls.push({
        records,
        settle: async (error) => {
          if (error === undefined) resolve();
          else reject(error);
          await turnOfEventLoop();
        },
      });
    });
  }

  async bury(record: StoredRecord): Promise<void> {
    this.buried.push(record);
  }

  async keepBases(bases: readonly PartitionNumber[]): Promise<void> {
    this.kept.push([...bases]);
    if (this.keepError !== undefined) throw this.keepError;
  }

  async raiseCollected(marks: readonly CollectionMark[]): Promise<void> {
    this.raised.push([...marks]);
    if (this.collectError !== undefined) throw this.collectError;
  }

  async forgetCollected(): Promise<number> {
    if (this.collectError !== undefined) throw this.collectError;
    return this.forgotten.shift() ?? 0;
  }

  async probe(): Promise<void> {
    if (this.probeError !== undefined) throw this.probeError;
  }

  async close(): Promise<void> {}

  /** The newest flush. */
  get last(): Call {
    const call = this.calls.at(-1);
    if (call === undefined) throw new Error('nothing was flushed');
    return call;
  }
}

/** Lets promises that have settled call back. */
export function turnOfEventLoop(): Promise<void> {
  return new Promise(setImmediate);
}
