import { BACKOFF_MAX_MS, BACKOFF_MIN_MS, BATCH_RECORDS_MAX, FLUSH_RECORDS } from '@tidewire/core';
import t from 'tap';
import { Batch } from '#lib/batch.js';
import { backoffMs, batchRecords, HALVINGS_MAX } from '#lib/flush-window.js';
import { KEYS, record } from './support/records.js';

t.test('WB-24: batches are short where SAFE writes wait, with room beside them', async (t) => {
  t.equal(batchRecords(0, 0), BATCH_RECORDS_MAX);
  t.equal(batchRecords(1, 0), FLUSH_RECORDS + 1);
  t.equal(batchRecords(FLUSH_RECORDS, 0), 2 * FLUSH_RECORDS);
  t.equal(batchRecords(16_384, 0), BATCH_RECORDS_MAX);
});

t.test('WB-47: a batch is halved after a failure, down to one record', async (t) => {
  t.equal(batchRecords(0, 1), BATCH_RECORDS_MAX / 2);
  t.equal(batchRecords(0, HALVINGS_MAX - 1), 2);
  t.equal(batchRecords(0, HALVINGS_MAX), 1);
  t.equal(batchRecords(FLUSH_RECORDS, 1), FLUSH_RECORDS);
  t.equal(batchRecords(1, HALVINGS_MAX), 1);
});

t.test('WB-25: pauses double up to a bound, half of each by chance', async (t) => {
  t.equal(backoffMs(1, 0), BACKOFF_MIN_MS / 2);
  t.equal(backoffMs(2, 0.5), BACKOFF_MIN_MS * 1.5);
  t.equal(backoffMs(1000, 0), BACKOFF_MAX_MS / 2);
  t.ok(backoffMs(1000, 0.999) < BACKOFF_MAX_MS);
});

t.test('WB-26: a batch holds the newest of each key, ascending', async (t) => {
  const batch = new Batch();
  for (const map of ['b', 'a'])
    for (const key of [...KEYS, ...KEYS]) batch.add(record(key, { map, sequence: batch.size }));
  batch.add(record(KEYS[0], { map: 'a', sequence: 99 }));
  batch.add(record(KEYS[0], { map: 'a', sequence: 98 }));
  const records = batch.take();
  t.equal(records.length, 2 * KEYS.length);
  for (let i = 1; i < records.length; i++) {
    const [before, after] = [records[i - 1], records[i]];
    t.ok(before.map < after.map || (before.map === after.map && before.key < after.key));
  }
  t.equal(records.find(({ map, key }) => map === 'a' && key === KEYS[0])?.sequence, 99);
  t.equal(batch.size, 0);
});
