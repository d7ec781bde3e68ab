/** Entry of P11's child: fills a record store and reports its size at some counts of records. */
import { ARENA_BYTES_MAX } from '@tidewire/core';
import { FULL, RecordStore } from '@tidewire/partition-worker/store';
import { StoreOperation } from '../micro/store-operation.js';

export interface StoreFillPlan {
  readonly firstKey: number;
  /** Ascending. */
  readonly counts: readonly number[];
}

export interface StoreSize {
  readonly records: number;
  readonly bytesUsed: number;
  /** Growth of the process's resident memory since before the first record. */
  readonly residentBytes: number;
}

if (process.send !== undefined)
  process.once('message', (plan) => {
    process.send?.(fillStore(plan as StoreFillPlan), () => process.disconnect());
  });

function fillStore(plan: StoreFillPlan): StoreSize[] {
  const before = process.memoryUsage.rss();
  const store = new RecordStore(new SharedArrayBuffer(ARENA_BYTES_MAX));
  const operation = new StoreOperation();
  let written = 0;
  return plan.counts.map((records) => {
    for (; written < records; written++)
      if (operation.write(store, plan.firstKey + written) === FULL) throw new Error('arena full');
    return {
      records: store.recordsLive,
      bytesUsed: store.bytesUsed,
      residentBytes: process.memoryUsage.rss() - before,
    };
  });
}
