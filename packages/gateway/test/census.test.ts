import t from 'tap';
import { TestBench } from './bench.js';
import { put, remove, write } from './operations.js';

t.test('ADMIN-6: workers count records by map, tombstones left out', async (t) => {
  const bench = new TestBench({ workers: 3 });
  const client = bench.client();
  write(client, ...Array.from({ length: 500 }, (_, i) => put(`k${i}`, '"value"')));
  write(client, put('k', '1', { map: 'one' }), put('gone', '1', { map: 'none' }));
  write(client, remove('gone', 'none'));
  bench.settle();
  const [first, second] = [bench.gateway.mapReport(), bench.gateway.mapReport()];
  bench.settle();
  const { maps } = await first;
  t.same(await second, await first, 'one count for all who ask');
  t.match(
    maps.map(({ map, records }) => [map, records]),
    [
      ['users', 500],
      ['one', 1],
      ['none', 0],
    ],
  );
  t.ok(maps[0].bytes >= 500 * 40 && maps[0].bytes <= 500 * 64, `${maps[0].bytes} bytes`);
  write(client, remove('k0'));
  bench.settle();
  const later = bench.gateway.mapReport();
  bench.settle();
  t.equal((await later).maps[0].records, 499, 'counted anew');
});

t.test('ADMIN-6: a worker that dies while it counts is asked again', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const client = bench.client();
  write(client, ...Array.from({ length: 100 }, (_, i) => put(`k${i}`, '1')));
  bench.settle();
  const report = bench.gateway.mapReport();
  bench.gateway.doWork();
  for (let i = 0; i < 3; i++) for (const worker of bench.workers) worker.doWork();
  bench.startWorker(0);
  bench.settle();
  t.equal((await report).maps[0].records, 100);
});

t.test('ADMIN-5: a report tells subscriptions by what they are of, and who lags', async (t) => {
  const bench = new TestBench();
  const client = bench.client();
  const subscribe = (subscriptionId: number, more: object): void =>
    client.say({ case: 'subscribe', value: { subscriptionId, map: 'users', ...more } });
  subscribe(1, {});
  subscribe(2, { key: 'a' });
  subscribe(3, { key: 'b' });
  bench.settle();
  const reported = async () => {
    const report = bench.gateway.mapReport();
    bench.settle();
    return await report;
  };
  t.match((await reported()).maps, [
    { map: 'users', records: 0, subscriptions: { map: 1, key: 2, predicate: 0 } },
  ]);
  t.equal(bench.gateway.subscriptionCounts.subscriptions, 3);
  client.isStalled = true;
  const writer = bench.client();
  for (let i = 0; i < 100; i++) {
    write(writer, put('a', `"${'x'.repeat(30_000)}"`));
    bench.settle();
  }
  t.match((await reported()).lagging, [
    { connection: client.session.serial, subscriptions: 3, unsentBytes: client.buffered },
  ]);
  client.isStalled = false;
  client.close(1000);
  t.match((await reported()).maps[0].subscriptions, { map: 0, key: 0, predicate: 0 });
  t.same((await reported()).lagging, []);
});

t.test('ADMIN-4: what has happened is counted', async (t) => {
  const bench = new TestBench({ limits: { inFlight: 2 } });
  const client = bench.client();
  write(client, put('a', '1'), put('b', '1'), put('c', '1'));
  write(client, put('k'.repeat(2000), '1'));
  bench.settle();
  client.sayBytes(new Uint8Array([255]));
  const { counters } = bench.gateway.telemetry;
  t.equal(counters.operations, 2);
  t.equal(counters.frames, 4);
  const named = (counts: Float64Array): number[] => [...counts].filter((count) => count > 0);
  t.same(named(counters.refusals), [2]);
  t.same(named(counters.closings), [1]);
});
