import {
  hashOf,
  PARTITIONS,
  partitionOf,
  SESSION_DRAINED_BYTES,
  STREAM_CREDIT_BYTES,
} from '@tidewire/core';
import { SliceKind, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import { put, remove, write } from './operations.js';
import { ReferenceClient } from './reference-client.js';
import { kindsOf, sliceEventsOf, slicesOf, valuesOf } from './subscribers.js';

const SNAPSHOT = { map: 'users', start: StartFrom.SNAPSHOT };
const big = (letter: string): string => letter.repeat(10_000);
const manyPuts = (count: number, value: string): object[] =>
  Array.from({ length: count }, (_, i) => put(`k${i}`, value));

t.test('SUB-12: a snapshot shows the records as they stand, then changes go on', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, put('a', '1'), put('b', '2'), put('c', '3'), remove('b'));
  bench.settle();
  const client = new ReferenceClient(bench, 9);
  const one = client.follow(1, SNAPSHOT);
  bench.settle();
  t.same(valuesOf(client, 1), { a: '1', c: '3' });
  t.ok(one.isDone);
  const kinds = kindsOf(client.connection);
  t.same(kinds.slice(0, 3), ['welcome', 'subscribed', 'catchUp']);
  t.equal(kinds.at(-1), 'progress', 'Progress waits for the catch-up');
  write(writer, put('d', '4'), remove('a'));
  bench.settle();
  t.same(valuesOf(client, 1), { c: '3', d: '4' });
});

t.test('SUB-13: after a lost connection what was missed comes, and nothing else', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, put('a', '1'), put('b', '2'));
  const client = new ReferenceClient(bench, 9);
  client.follow(1, SNAPSHOT);
  bench.settle();
  bench.second();
  client.disconnect();
  write(writer, put('c', '3'), remove('a'));
  bench.settle();
  client.connect(bench);
  bench.settle();
  t.same(valuesOf(client, 1), { b: '2', c: '3' });
  t.same(
    sliceEventsOf(client.connection)
      .map(({ key }) => key)
      .sort(),
    ['a', 'c'],
  );
  t.equal(client.followed.get(1)?.refusal, undefined);
});

t.test(
  'SUB-14: one who is cut off in the middle of a catch-up, while changes go on, converges later',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const writer = bench.client();
    write(writer, ...manyPuts(60, big('a')));
    bench.settle();
    const client = new ReferenceClient(bench, 9);
    const one = client.follow(1, SNAPSHOT);
    const other = client.follow(2, { map: 'others', start: StartFrom.SNAPSHOT });
    for (let turns = 0; sliceEventsOf(client.connection).length < 10; turns++) {
      if (turns > 1000) throw new Error('no slice comes');
      write(writer, put(`k${turns % 60}`, big('b')));
      bench.turn();
    }
    client.take();
    t.notOk(one.isDone);
    client.disconnect();
    write(writer, put('k0', big('c')), remove('k1'), put('new', big('d')));
    bench.settle();
    client.connect(bench);
    bench.settle();
    client.take();
    t.ok(one.isDone && other.isDone);
    const model = new ReferenceClient(bench, 10);
    model.follow(1, SNAPSHOT);
    bench.settle();
    t.same(valuesOf(client, 1), valuesOf(model, 1));
    t.equal(Object.keys(valuesOf(client, 1)).length, 60);
  },
);

t.test('SUB-15: a key that has not changed is not sent again, one that has is', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, put('a', '1'), put('b', '1'), put('c', '1'));
  const client = new ReferenceClient(bench, 9);
  for (const [i, key] of ['a', 'b', 'c', 'none'].entries())
    client.follow(i + 1, { ...SNAPSHOT, key });
  bench.settle();
  bench.second();
  client.disconnect();
  write(writer, put('b', '2'), remove('c'));
  bench.settle();
  client.connect(bench);
  bench.settle();
  t.same(
    [1, 2, 3, 4].map((id) => valuesOf(client, id)),
    [{ a: '1' }, { b: '2' }, {}, {}],
  );
  t.ok([...client.followed.values()].every(({ isDone }) => isDone));
  const partitions = slicesOf(client.connection).map(({ partition }) => partition);
  const changed = ['b', 'c'].map((key) => partitionOf(hashOf(new TextEncoder().encode(key))));
  t.same(partitions.sort(), changed.sort());
});

t.test(
  'SUB-16: a worker that dies while it sends is asked anew, and only for what had not ended',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const writer = bench.client();
    write(writer, ...manyPuts(80, big('a')));
    bench.settle();
    const client = new ReferenceClient(bench, 9);
    const one = client.follow(1, SNAPSHOT);
    const endsOf = (): number => slicesOf(client.connection).filter(({ ends }) => ends).length;
    for (let turns = 0; endsOf() < 20; turns++) {
      if (turns > 1000) throw new Error('no slice comes');
      bench.turn();
    }
    client.take();
    t.notOk(one.isDone);
    bench.startWorker(0);
    write(writer, put('k0', big('b')), remove('k1'));
    bench.startWorker(1);
    bench.settle();
    t.equal(Object.keys(valuesOf(client, 1)).length, 79);
    t.equal(valuesOf(client, 1)['k0'], 'bbbbbb…10000');
    t.ok(one.isDone);
    t.equal(endsOf(), PARTITIONS, 'partitions that had ended are not sent again');
    write(writer, put('k2', 'after'));
    bench.settle();
    t.equal(valuesOf(client, 1)['k2'], 'after', 'the new worker knows the topic');
  },
);

t.test('SUB-17: a snapshot goes no faster than the connection reads it', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, ...manyPuts(200, big('a')));
  bench.settle();
  const client = new ReferenceClient(bench, 9);
  const { connection } = client;
  connection.isStalled = true;
  const one = client.follow(1, SNAPSHOT);
  client.follow(2, SNAPSHOT);
  bench.settle();
  t.ok(connection.buffered > SESSION_DRAINED_BYTES, 'some of it was sent');
  t.ok(connection.buffered <= SESSION_DRAINED_BYTES + 3 * STREAM_CREDIT_BYTES);
  const other = new ReferenceClient(bench, 10);
  const unhindered = other.follow(1, SNAPSHOT);
  bench.settle();
  other.take();
  t.ok(unhindered.isDone, 'nobody else waits for it');
  for (let reads = 0; !one.isDone; reads++) {
    if (reads > 1000) throw new Error('the snapshot does not end');
    connection.read(20_000);
    client.take();
    bench.settle();
  }
  t.equal(client.lags, 0, 'catching up alone makes nobody lag');
  connection.isStalled = false;
  connection.read();
  bench.settle();
  t.equal(Object.keys(valuesOf(client, 2)).length, 200);
});

t.test('SUB-18: an end of one subscription ends its catch-up and no other', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, ...manyPuts(60, big('a')));
  bench.settle();
  const client = new ReferenceClient(bench, 9);
  for (const id of [1, 2, 3]) client.follow(id, SNAPSHOT);
  for (let turns = 0; slicesOf(client.connection).length === 0 && turns < 1000; turns++)
    bench.turn();
  client.unfollow(1);
  client.unfollow(3);
  const sliced = slicesOf(client.connection).length;
  bench.settle();
  t.equal(Object.keys(valuesOf(client, 2)).length, 60);
  t.ok(client.followed.get(2)?.isDone);
  const later = client.connection.frames.filter(({ body }) => body.case === 'catchUp');
  t.ok(later.length > sliced);
  t.match(bench.gateway.subscriptionCounts, { catchingUp: 0, topics: 1 });
  client.disconnect();
  t.match(bench.gateway.subscriptionCounts, { catchingUp: 0, topics: 0 });
});

t.test(
  'SUB-19: who resumes after the journal has forgotten gets all of it, and loses what is gone',
  async (t) => {
    const bench = new TestBench();
    const writer = bench.client();
    write(writer, put('a', '1'), put('gone', '1'));
    const client = new ReferenceClient(bench, 9);
    client.follow(1, SNAPSHOT);
    bench.settle();
    bench.second();
    client.disconnect();
    write(writer, remove('gone'));
    for (let i = 0; i < 30; i++) {
      write(writer, ...Array.from({ length: 900 }, () => put('a', `${i}`)));
      bench.settle();
    }
    client.connect(bench);
    bench.settle();
    t.same(valuesOf(client, 1), { a: '29' });
    t.ok(slicesOf(client.connection).every(({ kind }) => kind === SliceKind.CHANGES));
  },
);
