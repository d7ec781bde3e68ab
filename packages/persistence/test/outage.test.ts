import { BACKOFF_MAX_MS } from '@tidewire/core';
import t from 'tap';
import { PostgresStore } from '#lib/postgres-store.js';
import { differencesOf } from './outage-report.js';
import { OutageRun } from './outage-run.js';
import { TestServer } from './support/database.js';

const WRITES = 200_000;
const KEYS = 20_000;

t.test(
  'OUTAGE-14: an hour without a database, on a simulated clock: memory flat, everything arrives',
  async (t) => {
    const server = await TestServer.start(t);
    const connection = await server.freshDatabase();
    const store = new PostgresStore(connection);
    t.teardown(() => store.close());
    await store.open({ takeOver: false });
    const report = await new OutageRun(store).run({ writes: WRITES, keys: KEYS });
    t.ok(report.bytesAfter <= 1.05 * report.bytesBefore, `${report.bytesAfter} bytes`);
    t.ok(report.failures > 3_600_000 / BACKOFF_MAX_MS / 2, `${report.failures} attempts failed`);
    t.ok(report.pauseMs <= BACKOFF_MAX_MS, `SAFE waited ${report.pauseMs} ms`);
    t.same(report.statuses, ['down', 'up']);
    t.equal(report.expected.size, KEYS + 1);
    t.same(await differencesOf(server.sql(connection), report.expected), []);
  },
);
