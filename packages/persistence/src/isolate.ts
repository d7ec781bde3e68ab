import { type Store, type StoredRecord, StoreError } from './store.js';

/**
 * Flushes all that the store takes. A batch that it rejects is halved until the records that cannot
 * be stored stand alone; those are buried and named to `onBuried`, with the store's code: its message may quote the value.
 */
export async function flushOrBury(
  store: Store,
  records: readonly StoredRecord[],
  onBuried: (record: StoredRecord, code: string) => void,
): Promise<void> {
  try {
    await store.flush(records);
  } catch (error) {
    if (!(error instanceof StoreError) || error.kind !== 'REJECTED') throw error;
    if (records.length === 1) {
      await store.bury(records[0], error.message);
      onBuried(records[0], error.code);
      return;
    }
    const half = records.length >> 1;
    await flushOrBury(store, records.slice(0, half), onBuried);
    await flushOrBury(store, records.slice(half), onBuried);
  }
}
