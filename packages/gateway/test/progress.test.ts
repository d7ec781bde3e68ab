import { Code, closeCodeOf, hashOf, partitionOf } from '@tidewire/core';
import { ownerOf, storeWatermark, WorkerControl } from '@tidewire/core/threads';
import { StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { STORE, TestBench } from './bench.js';
import { type FakeClient, groupsOf } from './fake-transport.js';
import { put, write } from './operations.js';

const partitionOfKey = (key: string): number => partitionOf(hashOf(new TextEncoder().encode(key)));
const progressOf = (client: FakeClient) =>
  client.frames.flatMap(({ body }) => (body.case === 'progress' ? [body.value] : []));
const sequencesOf = (client: FakeClient) =>
  progressOf(client).map(({ delivered }) =>
    Object.fromEntries(delivered.map(({ partition, sequence }) => [partition, Number(sequence)])),
  );

/** Every Progress is behind all events up to it: by what this client was sent, in order. */
function checkOrder(client: FakeClient, changes: Map<number, number>): void {
  const seen = new Map<number, number>();
  for (const frame of client.frames) {
    const { body } = frame;
    for (const { events } of groupsOf(frame))
      for (const { partition, sequence } of events)
        seen.set(partition, Math.max(seen.get(partition) ?? 0, Number(sequence)));
    if (body.case !== 'progress') continue;
    for (const { partition, sequence } of body.value.delivered)
      if (changes.has(partition) && (seen.get(partition) ?? 0) < Number(sequence))
        throw new Error(`partition ${partition}: told ${sequence}, heard ${seen.get(partition)}`);
  }
}

t.test('PROG-1: Progress is told each second, of what moved, behind all its events', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const [writer, client] = [bench.client(1), bench.client(2)];
  client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
  bench.settle();
  const changes = new Map<number, number>();
  for (let second = 0; second < 5; second++) {
    for (let part = 0; part < 20; part++) {
      const key = `k${(second * 7 + part) % 30}`;
      changes.set(partitionOfKey(key), 1);
      write(writer, put(key, `${second}`));
      bench.nowMs += 50;
      bench.turn();
      bench.turn();
    }
  }
  bench.second();
  bench.second();
  checkOrder(client, changes);
  const total = new Map<number, bigint>();
  for (const { delivered, epoch } of progressOf(client)) {
    t.equal(epoch, 42n);
    for (const { partition, sequence } of delivered) {
      if (sequence <= (total.get(partition) ?? 0n)) t.fail('what did not move was told');
      total.set(partition, sequence);
    }
  }
  t.equal(total.size, changes.size);
  t.equal(
    [...total.values()].reduce((sum, sequence) => sum + sequence, 0n),
    100n,
  );
  t.ok(progressOf(client).length <= 8);
});

t.test('PROG-2: Progress is behind what max_hz held back, too', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const [writer, client] = [bench.client(1), bench.client(2)];
  client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', maxHz: 1 } });
  bench.settle();
  const changes = new Map(Array.from({ length: 10 }, (_, i) => [partitionOfKey(`k${i}`), 1]));
  for (let i = 0; i < 100; i++) {
    write(writer, put(`k${i % 10}`, `${i}`));
    bench.nowMs += 70;
    bench.turn();
    bench.turn();
  }
  bench.second();
  bench.second();
  checkOrder(client, changes);
  t.ok(progressOf(client).length >= 7);
});

t.test('PROG-7: Progress that comes in one turn with its events is behind them', async (t) => {
  const bench = new TestBench();
  const [writer, client, slow] = [bench.client(1), bench.client(2), bench.client(3)];
  slow.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', maxHz: 1 } });
  client.say({ case: 'subscribe', value: { subscriptionId: 2, map: 'users' } });
  bench.settle();
  const changes = new Map([[partitionOfKey('a'), 1]]);
  write(writer, put('a', '1'));
  bench.second();
  // The report is asked for, and taken only when the second is over.
  bench.nowMs += 900;
  write(writer, put('a', '2'));
  for (let turns = 0; turns < 2; turns++) bench.gateway.doWork();
  bench.workers[0].doWork();
  bench.nowMs += 100;
  bench.gateway.doWork();
  bench.gateway.flush();
  for (const one of [client, slow]) {
    checkOrder(one, changes);
    t.same(
      sequencesOf(one).slice(-2),
      [1, 2].map((n) => ({ [partitionOfKey('a')]: n })),
    );
    t.equal(one.events.length, 2);
  }
});

t.test(
  'PROG-3: while something is missing there is none; at its end one of what differs',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const [writer, client] = [bench.client(1), bench.client(2)];
    write(writer, ...Array.from({ length: 90 }, (_, i) => put(`k${i}`, 'v'.repeat(10_000))));
    bench.settle();
    bench.second();
    client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'empty' } });
    bench.settle();
    t.equal(progressOf(client).length, 1, 'who starts now is told where it stands');
    client.buffered = 2 ** 17;
    client.say({
      case: 'subscribe',
      value: { subscriptionId: 2, map: 'users', start: StartFrom.SNAPSHOT },
    });
    write(writer, put('k1', 'new'));
    bench.second();
    bench.second();
    t.equal(progressOf(client).length, 1);
    client.buffered = 0;
    bench.settle();
    const kinds = client.frames.map(({ body }) => body.case);
    t.ok(kinds.lastIndexOf('catchUp') < kinds.lastIndexOf('progress'));
    t.same(sequencesOf(client).slice(1), [
      { [partitionOfKey('k1')]: sequencesOf(client)[0][partitionOfKey('k1')] + 1 },
    ]);
  },
);

t.test('PROG-4: who missed nothing is told so by one small frame', async (t) => {
  const bench = new TestBench();
  const writer = bench.client(1);
  write(writer, put('a', '1'));
  bench.settle();
  bench.second();
  const client = bench.stranger();
  const delivered = [{ partition: partitionOfKey('a'), sequence: 1n }];
  const cursor = { store: STORE, epoch: 42n, delivered };
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 2, cursor } });
  client.say({
    case: 'subscribe',
    value: { subscriptionId: 1, map: 'users', start: StartFrom.RESUME },
  });
  bench.settle();
  t.same(sequencesOf(client), [{}]);
  bench.second();
  t.equal(progressOf(client).length, 1, 'nothing moves, nothing is told');
});

t.test('PROG-5: a cursor of another epoch is told every partition that stands', async (t) => {
  const bases = new Map([[41, new Float64Array(271).fill(10)]]);
  const bench = new TestBench({ bases });
  const writer = bench.client(1);
  write(writer, put('a', '1'), put('b', '1'));
  bench.settle();
  bench.second();
  const [a, b] = [partitionOfKey('a'), partitionOfKey('b')];
  const client = bench.stranger();
  const delivered = [
    { partition: a, sequence: 1n },
    { partition: 200, sequence: 0n },
  ];
  const cursor = { store: STORE, epoch: 41n, delivered };
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 2, cursor } });
  client.say({
    case: 'subscribe',
    value: { subscriptionId: 1, map: 'users', start: StartFrom.RESUME },
  });
  bench.settle();
  t.same(sequencesOf(client), [{ [a]: 1, [b]: 1 }]);
});

t.test(
  'PROG-6: without a subscription there is none, and none after the last has ended',
  async (t) => {
    const bench = new TestBench();
    const [writer, client] = [bench.client(1), bench.client(2)];
    write(writer, put('a', '1'));
    bench.second();
    t.equal(progressOf(client).length, 0);
    client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    bench.settle();
    client.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
    const told = progressOf(client).length;
    write(writer, put('a', '2'));
    bench.second();
    bench.second();
    t.equal(told, 1);
    t.equal(progressOf(client).length, told);
  },
);

t.test('PROG-8: who asks is told how far partitions are in the database', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const client = bench.client();
  const [one, two] = [3, 200];
  for (const { worker, control } of bench.memory.workers)
    for (const partition of [one, two])
      if (ownerOf(partition, 2) === worker)
        storeWatermark(
          new Int32Array(control),
          WorkerControl.flushedIndex(partition),
          2 ** 40 + partition,
        );
  client.say({ case: 'askDurable', value: { partitions: [two, one, 7] } });
  const durable = [two, one].map((partition) => ({
    partition,
    sequence: 2n ** 40n + BigInt(partition),
  }));
  t.match(client.last('progress'), { epoch: 42n, delivered: [] });
  t.match(client.last('progress')?.durable, [...durable, { partition: 7, sequence: 0n }]);
  for (const partitions of [[], [271], [3, 3]]) {
    const odd = bench.client();
    odd.say({ case: 'askDurable', value: { partitions } });
    t.equal(odd.closedWith, closeCodeOf(Code.INVALID), JSON.stringify(partitions));
  }
});
