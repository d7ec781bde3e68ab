import {
  Code,
  closeCodeOf,
  hashOf,
  partitionOf,
  SESSION_HARD_BYTES,
  SESSION_SOFT_BYTES,
} from '@tidewire/core';
import { ownerOf } from '@tidewire/core/threads';
import { StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import { put, remove, write } from './operations.js';
import { ReferenceClient } from './reference-client.js';
import { kindsOf, sliceEventsOf, slicesOf, valuesOf } from './subscribers.js';

const SNAPSHOT = { map: 'users', start: StartFrom.SNAPSHOT };
const partitionOfKey = (key: string): number => partitionOf(hashOf(new TextEncoder().encode(key)));
const big = (text: string): string => text.padEnd(20_000);

/** Everything that every client should hold of the map. */
function modelOf(bench: TestBench): Record<string, string> {
  const model = new ReferenceClient(bench, 99);
  model.follow(1, SNAPSHOT);
  bench.settle();
  const values = valuesOf(model, 1);
  model.disconnect();
  return values;
}

t.test(
  'SUB-37: a slow consumer is told, hears nothing, and converges once it has read',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const [writer, swift] = [bench.client(1), new ReferenceClient(bench, 3)];
    write(writer, put('old', '1'), put('gone', '1'));
    bench.settle();
    const slow = new ReferenceClient(bench, 2);
    for (const client of [slow, swift]) client.follow(1, SNAPSHOT);
    slow.follow(2, { map: 'users', key: 'k3', start: StartFrom.SNAPSHOT });
    bench.settle();
    bench.second();
    slow.take();
    const { connection } = slow;
    connection.isStalled = true;
    for (let round = 0; round < 20; round++) {
      for (let i = 0; i < 10; i++) write(writer, put(`k${i}`, big(`${round}`)));
      bench.settle();
    }
    write(writer, remove('gone'));
    bench.settle();
    t.equal(bench.gateway.subscriptionCounts.lagging, 1);
    t.ok(connection.buffered < SESSION_SOFT_BYTES + 11 * 20_100, 'it was sent little more');
    t.equal(swift.lags, 0);
    connection.read();
    slow.take();
    t.ok(slow.isLagging);
    t.equal(kindsOf(connection).at(-1), 'lag');
    connection.isStalled = false;
    const before = connection.frames.length;
    bench.settle();
    slow.take();
    t.notOk(slow.isLagging);
    t.same(valuesOf(slow, 1), modelOf(bench));
    t.same(valuesOf(swift, 1), modelOf(bench));
    t.same(valuesOf(slow, 2), { k3: '19…20000' });
    const keys = connection.frames
      .slice(before)
      .flatMap(({ body }) => (body.case === 'catchUp' ? body.value.slices : []))
      .flatMap(({ events }) => events)
      .filter(({ key }) => key !== 'k3')
      .map(({ key }) => key);
    t.equal(keys.length, new Set(keys).size, 'the latest state of each key, once');
    t.notOk(keys.includes('old'), 'what had been told is not told again');
    t.match(bench.gateway.subscriptionCounts, { lagging: 0, lags: 1 });
    t.equal(connection.closedWith, undefined);
    write(writer, put('after', '1'));
    bench.settle();
    t.equal(valuesOf(slow, 1)['after'], '1');
  },
);

t.test(
  'SUB-38: one that lags in the middle of a catch-up goes on from where that had got',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const writer = bench.client(1);
    write(writer, ...Array.from({ length: 100 }, (_, i) => put(`k${i}`, big('a'))));
    bench.settle();
    const slow = new ReferenceClient(bench, 2);
    const one = slow.follow(1, SNAPSHOT);
    const { connection } = slow;
    for (let turns = 0; sliceEventsOf(connection).length < 40 && turns < 1000; turns++)
      bench.turn();
    slow.take();
    t.notOk(one.isDone);
    connection.isStalled = true;
    for (let round = 0; bench.gateway.subscriptionCounts.lagging === 0; round++) {
      if (round > 100) throw new Error('it never lags');
      write(writer, put('hot', big(`${round}`)), put(`k${round % 100}`, big('b')));
      bench.settle();
    }
    connection.isStalled = false;
    connection.read();
    const ended = slicesOf(connection).filter(({ ends }) => ends).length;
    t.ok(ended > 20);
    bench.settle();
    t.same(valuesOf(slow, 1), modelOf(bench));
    t.ok(one.isDone);
    const ends = slicesOf(connection).filter(({ ends }) => ends).length;
    t.ok(ends < 271 + ended, 'partitions that had ended do not begin again from a snapshot');
  },
);

t.test('SUB-39: who subscribes while it lags is served once it has read', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client(1);
  const slow = new ReferenceClient(bench, 2);
  slow.follow(1, { map: 'users', start: StartFrom.NOW });
  bench.settle();
  slow.connection.buffered = SESSION_SOFT_BYTES + 1;
  write(writer, put('a', '1'));
  bench.settle();
  slow.take();
  t.ok(slow.isLagging);
  slow.follow(2, { map: 'others', start: StartFrom.SNAPSHOT });
  write(writer, put('b', '2', { map: 'others' }), put('c', '3'));
  bench.settle();
  slow.take();
  t.equal(slow.connection.last('subscribed')?.subscriptionId, 1);
  slow.connection.buffered = 0;
  bench.settle();
  t.same(valuesOf(slow, 2), { b: '2' });
  t.match(valuesOf(slow, 1), { c: '3' });
  slow.connection.buffered = SESSION_SOFT_BYTES + 1;
  write(writer, put('a', '2'));
  bench.settle();
  slow.unfollow(1);
  slow.unfollow(2);
  slow.connection.buffered = 0;
  bench.settle();
  slow.take();
  t.notOk(slow.isLagging, 'it is told even without subscriptions');
  t.match(bench.gateway.subscriptionCounts, { lagging: 0, topics: 0 });
});

t.test('SUB-40: however much one turn publishes, nobody is closed for it who lags', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writers = [1, 2, 3].map((node) => bench.client(node));
  const slow = Array.from({ length: 50 }, (_, i) => new ReferenceClient(bench, 10 + i));
  for (const client of slow) client.follow(1, { map: 'users', start: StartFrom.NOW });
  bench.settle();
  for (const { connection } of slow) connection.isStalled = true;
  // The workers say more in one turn than a connection's buffer holds.
  for (const [i, writer] of writers.entries())
    write(writer, ...Array.from({ length: 67 }, (_, k) => put(`w${i}k${k}`, 'v'.repeat(30_000))));
  bench.gateway.doWork();
  for (const worker of bench.workers) while (worker.doWork() > 0);
  bench.gateway.doWork();
  bench.gateway.flush();
  bench.settle();
  t.ok(slow.every(({ connection }) => connection.closedWith === undefined));
  t.ok(slow.every(({ connection }) => connection.buffered < SESSION_HARD_BYTES));
  t.equal(bench.gateway.subscriptionCounts.lagging, 50);
  for (const { connection } of slow) {
    connection.isStalled = false;
    connection.read();
  }
  bench.settle();
  const model = modelOf(bench);
  t.equal(Object.keys(model).length, 201);
  for (const client of slow) t.same(valuesOf(client, 1), model);
});

t.test('SUB-41: one that lost a message is closed, and hears nothing more', async (t) => {
  const bench = new TestBench();
  const writer = bench.client(1);
  const slow = new ReferenceClient(bench, 2);
  slow.follow(1, SNAPSHOT);
  bench.settle();
  slow.connection.refusesSend = true;
  write(writer, put('a', '1'));
  bench.settle();
  t.equal(slow.connection.closedWith, closeCodeOf(Code.SLOW_CONSUMER));
  t.match(bench.gateway.subscriptionCounts, { topics: 0, lagging: 0, catchingUp: 0 });
  slow.connect(bench);
  bench.settle();
  t.same(valuesOf(slow, 1), { a: '1' });
});

t.test('SUB-56: a subscription begins once it is known where it would go on', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const client = bench.client(1);
  const ofFirst = ['a', 'b', 'c', 'd'].find((key) => ownerOf(partitionOfKey(key), 2) === 0)!;
  client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', key: ofFirst } });
  for (let turn = 0; turn < 5; turn++) {
    bench.gateway.doWork();
    bench.workers[0].doWork();
    bench.gateway.flush();
  }
  t.equal(client.last('subscribed'), undefined, 'the other worker has not reported');
  bench.settle();
  t.equal(client.last('subscribed')?.subscriptionId, 1);
});

t.test('SUB-56: who begins now and lags at once is sent nothing from long before', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client(1);
  write(writer, ...Array.from({ length: 50 }, (_, i) => put(`old${i}`, '1')));
  bench.settle();
  bench.second();
  const slow = new ReferenceClient(bench, 2);
  slow.follow(1, { map: 'users', start: StartFrom.NOW });
  bench.settle();
  slow.connection.isStalled = true;
  for (let i = 0; bench.gateway.subscriptionCounts.lagging === 0; i++) {
    write(writer, put(`new${i % 10}`, big(`${i}`)));
    bench.settle();
  }
  slow.connection.isStalled = false;
  slow.connection.read();
  bench.settle();
  const keys = sliceEventsOf(slow.connection).map(({ key }) => key);
  t.equal(new Set(keys).size, 10);
  t.notOk(keys.some((key) => key.startsWith('old')));
});
