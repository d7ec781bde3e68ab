import { DAMAGED_ATTEMPTS_MAX } from '@tidewire/core';
import t from 'tap';
import { Isolator } from '#lib/isolate.js';
import { StoreError } from '#lib/store.js';
import { FakeStore } from './support/fake-store.js';
import { record } from './support/records.js';

t.test('WB-68: two records that meet damage in turn are both put aside', async (t) => {
  const store = new FakeStore();
  store.damaged = new Set(['a', 'b']);
  const told: string[] = [];
  const isolator = new Isolator(store, ({ key }) => told.push(key));
  for (let i = 1; i < DAMAGED_ATTEMPTS_MAX; i++)
    for (const key of store.damaged) await t.rejects(isolator.flush([record(key)]), StoreError);
  t.same(told, [], 'until then damage is an outage');
  for (const key of store.damaged) await isolator.flush([record(key)]);
  t.same(told, ['a', 'b']);
});
