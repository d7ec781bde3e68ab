import t from 'tap';
import { encodeRows } from '#lib/postgres-rows.js';
import { RowDecoder } from '#lib/row-decoder.js';
import type { StoredRecord } from '#lib/store.js';
import { KEYS, record, removal, VALUES } from './support/records.js';

/** As both directions of COPY have it. */
const EXTREMES: Partial<StoredRecord> = {
  ms: 2 ** 47 - 1,
  counter: 0xffff,
  node: 0xffffff,
  sequence: 2 ** 48 - 1,
  partition: 270,
};
const RECORDS: readonly StoredRecord[] = [
  ...Object.entries(VALUES).map(([key, value]) => record(key, { value })),
  ...KEYS.map((key) => record(key, { map: key.slice(0, 20), kind: 2, expiresAt: 2 ** 48 - 1 })),
  record('long', { value: new Uint8Array(70_000).fill(7) }),
  removal('gone', EXTREMES),
  record('most', { ...EXTREMES, expiresAt: 2 ** 32 }),
].map((each) => ({ ...each, value: Buffer.from(each.value) }));

function decoded(chunks: readonly Buffer[]): StoredRecord[] {
  const decoder = new RowDecoder();
  const records: StoredRecord[] = [];
  for (const chunk of chunks) decoder.decode(chunk, records);
  return records;
}

t.test('REC-22: rows come back bit for bit, wherever what is received is cut', async (t) => {
  const bytes = encodeRows(RECORDS);
  t.same(decoded([bytes]), RECORDS);
  const small = encodeRows(RECORDS.slice(0, 3));
  for (let cut = 0; cut <= small.length; cut++) {
    const records = decoded([small.subarray(0, cut), small.subarray(cut)]);
    if (JSON.stringify(records) !== JSON.stringify(RECORDS.slice(0, 3)))
      t.fail(`cut at byte ${cut}`);
  }
  const single = Array.from(bytes, (_, at) => bytes.subarray(at, at + 1)).slice(0, 3000);
  t.same(decoded(single), decoded([bytes.subarray(0, 3000)]));
  t.same(decoded([encodeRows([])]), []);
});

t.test('REC-23: rows of another shape are refused', async (t) => {
  const bytes = encodeRows(RECORDS.slice(0, 1));
  bytes.writeInt16BE(9, 19);
  t.throws(() => decoded([bytes]), { name: 'StoreError', kind: 'FOREIGN' });
});
