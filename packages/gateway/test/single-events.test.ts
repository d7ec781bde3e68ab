import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  FRAME_BUFFER_BYTES,
  FRAME_BUFFERS_MAX,
  LAG_LOOK_BYTES,
  SESSION_SOFT_BYTES,
} from '@tidewire/core';
import { type PredicateSchema, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { put, write } from './operations.js';
import { ReferenceClient } from './reference-client.js';
import { kindsOf, valuesOf } from './subscribers.js';

const field = { steps: [{ step: { case: 'name' as const, value: 'age' } }] };
const ageOver = (age: number): MessageInitShape<typeof PredicateSchema> => ({
  test: {
    case: 'gt',
    value: { field, literal: { literal: { case: 'number', value: age } } },
  },
});
const aged = (age: number, length = 0): string => `{"age":${age},"pad":"${'x'.repeat(length)}"}`;

/** Has the gateway take in what comes of these writes, but send none of it. */
function take(bench: TestBench, writer: FakeClient, ...operations: object[]): void {
  write(writer, ...operations);
  for (let work = 1; work > 0; ) {
    work = bench.gateway.doWork();
    for (const worker of bench.workers) work += worker.doWork();
  }
}

function subscribe(bench: TestBench, client: FakeClient, id: number, wish: object): void {
  client.say({ case: 'subscribe', value: { subscriptionId: id, map: 'users', ...wish } });
  bench.settle();
}

function topicOf(client: FakeClient, id: number): number {
  for (const { body } of client.frames)
    if (body.case === 'subscribed' && body.value.subscriptionId === id) return body.value.topics[0];
  throw new Error(`${id} is no subscription`);
}

const keysOn = (client: FakeClient, topic: number): string[] =>
  client.groups
    .filter((group) => group.topic === topic)
    .flatMap(({ events }) => events.map(({ key }) => key));

t.test(
  'FAN-1: what one session alone hears on several topics comes in one frame, of each in order',
  async (t) => {
    const bench = new TestBench();
    const [writer, client] = [bench.client(1), bench.client(2)];
    for (const [id, age] of [10, 20].entries())
      subscribe(bench, client, id + 1, { where: ageOver(age) });
    const before = client.frames.length;
    take(bench, writer, put('a', aged(15)), put('b', aged(25)), put('c', aged(12)));
    bench.gateway.flush();
    t.same(kindsOf(client).slice(-1), ['eventGroups']);
    t.equal(client.frames.length, before + 1);
    t.same(keysOn(client, topicOf(client, 1)), ['a', 'b', 'c']);
    t.same(keysOn(client, topicOf(client, 2)), ['b']);
    t.equal(client.events.length, 4);
    take(bench, writer, put('d', aged(15)), put('e', aged(15)));
    bench.gateway.flush();
    t.same(client.last('events')?.topic, topicOf(client, 1), 'of a single topic as Events');
    t.match(client.last('events')?.events, [{ key: 'd' }, { key: 'e' }]);
  },
);

t.test('FAN-2: results go out before the events that several topics make of them', async (t) => {
  const bench = new TestBench();
  const client = bench.client(1);
  for (const [id, age] of [10, 20].entries())
    subscribe(bench, client, id + 1, { where: ageOver(age) });
  take(bench, client, put('a', aged(25)));
  client.say({ case: 'unsubscribe', value: { subscriptionId: 2 } });
  const kinds = client.frames.slice(-3).map(({ body }) => body.case);
  t.same(kinds, ['results', 'eventGroups', 'unsubscribed']);
});

t.test(
  'FAN-3: a topic keeps its order when a second session comes, and when one of two goes',
  async (t) => {
    const bench = new TestBench();
    const [writer, one, two] = [bench.client(1), bench.client(2), bench.client(3)];
    subscribe(bench, one, 1, {});
    subscribe(bench, one, 2, { key: 'other' });
    take(bench, writer, put('a', '1'));
    two.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    t.not(two.last('subscribed'), undefined);
    take(bench, writer, put('b', '1'));
    two.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
    take(bench, writer, put('c', '1'));
    one.say({ case: 'unsubscribe', value: { subscriptionId: 2 } });
    bench.gateway.flush();
    take(bench, writer, put('d', '1'));
    bench.gateway.flush();
    t.same(keysOn(one, topicOf(one, 1)), ['a', 'b', 'c', 'd']);
    t.notOk(
      two.events.some(({ key }) => key !== 'b'),
      'and nobody hears more than it joined for',
    );
  },
);

t.test('FAN-4: what came before the end of a subscription comes before Unsubscribed', async (t) => {
  const bench = new TestBench();
  const [writer, client] = [bench.client(1), bench.client(2)];
  for (const id of [1, 2]) subscribe(bench, client, id, { key: `k${id}` });
  take(bench, writer, put('k1', '1'), put('k2', '1'));
  client.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
  t.same(kindsOf(client).slice(-2), ['eventGroups', 'unsubscribed']);
  take(bench, writer, put('k1', '2'), put('k2', '2'));
  bench.gateway.flush();
  t.same(kindsOf(client).slice(-2), ['unsubscribed', 'events']);
  t.match(client.last('events')?.events, [{ key: 'k2' }]);
});

/** One that hears three predicates alone, and is complete. */
function slowClient(bench: TestBench): ReferenceClient {
  const slow = new ReferenceClient(bench, 2);
  for (const age of [10, 20, 30])
    slow.follow(age, { map: 'users', where: ageOver(age), start: StartFrom.SNAPSHOT });
  bench.settle();
  bench.second();
  slow.take();
  return slow;
}

/** Reads, and converges: the client throws for an event that comes while it lags. */
function readOn(bench: TestBench, slow: ReferenceClient): void {
  slow.connection.read();
  slow.connection.buffered = 0;
  slow.connection.isStalled = false;
  slow.take();
  bench.settle();
  slow.take();
}

t.test('FAN-5: a session that has come to lag is sent nothing of it, and converges', async (t) => {
  const bench = new TestBench();
  const [writer, other, third] = [bench.client(1), bench.client(3), bench.client(4)];
  subscribe(bench, other, 1, { key: 'o' });
  const slow = slowClient(bench);
  take(bench, writer, put('last', aged(99)), put('o', '1'));
  slow.connection.isStalled = true;
  slow.connection.buffered = SESSION_SOFT_BYTES + 1;
  third.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', key: 'o' } });
  bench.gateway.doWork();
  t.equal(
    bench.gateway.subscriptionCounts.lagging,
    1,
    'looked at because others were sent something',
  );
  bench.gateway.flush();
  readOn(bench, slow);
  t.equal(slow.lags, 1);
  for (const age of [10, 20, 30]) t.same(valuesOf(slow, age), { last: aged(99) });
});

t.test('FAN-5: one that comes to lag in the middle of a turn is sent no more of it', async (t) => {
  const bench = new TestBench();
  const writer = bench.client(1);
  const slow = slowClient(bench);
  slow.connection.isStalled = true;
  const count = 60;
  take(bench, writer, ...Array.from({ length: count }, (_, i) => put(`k${i}`, aged(99, 20_000))));
  t.equal(bench.gateway.subscriptionCounts.lagging, 1);
  t.ok(slow.connection.buffered < SESSION_SOFT_BYTES + 2 * LAG_LOOK_BYTES);
  bench.gateway.flush();
  readOn(bench, slow);
  t.equal(slow.lags, 1);
  for (const age of [10, 20, 30]) t.equal(Object.keys(valuesOf(slow, age)).length, count);
});

t.test('FAN-6: one that closes with events in hand leaves nothing behind', async (t) => {
  const bench = new TestBench();
  const [writer, one, two] = [bench.client(1), bench.client(2), bench.client(3)];
  for (const client of [one, two])
    for (const age of [10, 20])
      subscribe(bench, client, age, { where: ageOver(age + client.session.node) });
  for (let round = 0; round < FRAME_BUFFERS_MAX + 1; round++) {
    const next = bench.client(4);
    subscribe(bench, next, 1, { key: 'k' });
    take(bench, writer, put('k', aged(99)));
    t.not(next.session.events, undefined);
    next.close(1000);
    t.equal(next.session.events, undefined);
  }
  bench.gateway.flush();
  for (const client of [one, two]) t.equal(client.events.length, 2 * (FRAME_BUFFERS_MAX + 1));
});

t.test(
  'FAN-7: more sessions than buffers, and more events than a buffer, miss nothing',
  async (t) => {
    const bench = new TestBench();
    const writer = bench.client(1);
    const clients = Array.from({ length: FRAME_BUFFERS_MAX + 20 }, (_, i) => {
      const client = bench.client(i + 2);
      client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', key: `k${i}` } });
      return client;
    });
    bench.settle();
    const count = 500;
    take(
      bench,
      writer,
      ...Array.from({ length: count }, (_, i) => put(`k${i % clients.length}`, '1')),
    );
    bench.gateway.flush();
    t.same(
      clients.map(({ events }) => events.length),
      clients.map((_, i) => Math.ceil((count - i) / clients.length)),
    );
    const client = bench.client(9999);
    for (const age of [10, 20]) subscribe(bench, client, age, { where: ageOver(age) });
    const before = client.frames.length;
    const length = Math.floor(FRAME_BUFFER_BYTES / 5);
    take(bench, writer, ...Array.from({ length: 8 }, (_, i) => put(`big${i}`, aged(30, length))));
    bench.gateway.flush();
    for (const age of [10, 20])
      t.same(
        keysOn(client, topicOf(client, age)),
        Array.from({ length: 8 }, (_, i) => `big${i}`),
      );
    t.equal(client.frames.length, before + 4, 'each frame is filled');
  },
);
