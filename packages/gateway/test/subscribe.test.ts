import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  Code,
  closeCodeOf,
  HELLO_BYTES_MAX,
  MAX_HZ_MAX,
  PREDICATE_NODES_MAX,
  SUBSCRIPTIONS_MAX,
  SUBSCRIPTIONS_UNINDEXED_MAX,
} from '@tidewire/core';
import { NO_BYTES } from '@tidewire/partition-worker/front';
import { EventKind, type PredicateSchema, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { fewSize } from '#lib/few.js';
import { Refusal } from '#lib/refusal.js';
import { conditionWithin } from '#lib/subscription/subscribe-check.js';
import { STORE, TestBench } from './bench.js';
import { put, remove, write } from './operations.js';
import { ReferenceClient } from './reference-client.js';
import { slicesOf, valuesOf } from './subscribers.js';

type Where = MessageInitShape<typeof PredicateSchema>;
const field = { steps: [{ step: { case: 'name' as const, value: 'age' } }] };
const ageOver = (age: number): Where => ({
  test: {
    case: 'gt',
    value: { field, literal: { literal: { case: 'number', value: age } } },
  },
});
const all = (...predicates: Where[]): Where => ({ test: { case: 'all', value: { predicates } } });
const not = (value: Where): Where => ({ test: { case: 'not', value } });
const exists: Where = { test: { case: 'exists', value: field } };
const unindexed = (age: number): Where => not(ageOver(age));
const aged = (age: number): string => `{"age":${age}}`;

t.test('SUB-20: Welcome names the store, a salt of the session and the limits', async (t) => {
  const bench = new TestBench();
  const [one, two] = [bench.client(1), bench.client(2)];
  const welcome = one.last('welcome')!;
  t.match(welcome, { epoch: 42n, store: STORE });
  t.match(welcome.limits, { subscriptionsMax: SUBSCRIPTIONS_MAX, queriesMax: 16 });
  t.equal(welcome.salt.length, 16);
  t.notSame(two.last('welcome')!.salt, welcome.salt);
});

t.test('SUB-21: a bad Subscribe is refused by a sentence and leaves nothing behind', async (t) => {
  const bench = new TestBench();
  const client = bench.client();
  let deep = ageOver(1);
  for (let i = 0; i < 20; i++) deep = not(deep);
  const wide = all(...Array.from({ length: PREDICATE_NODES_MAX }, (_, i) => ageOver(i)));
  const cases: [object, Code, RegExp][] = [
    [{ subscriptionId: 0 }, Code.INVALID, /id/],
    [{ map: '' }, Code.INVALID, /map/],
    [{ map: 'a\0b' }, Code.INVALID, /map/],
    [{ map: 'm'.repeat(129) }, Code.TOO_LARGE, /at most/],
    [{ key: 'k'.repeat(1025) }, Code.TOO_LARGE, /at most/],
    [{ key: 'k', where: ageOver(1) }, Code.INVALID, /not both/],
    [{ withOld: true }, Code.INVALID, /where/],
    [{ maxHz: MAX_HZ_MAX + 1 }, Code.INVALID, /a second/],
    [{ start: 7 }, Code.INVALID, /start 7/],
    [{ where: {} }, Code.INVALID, /./],
    [{ where: { test: { case: 'eq', value: { field } } } }, Code.INVALID, /literal/],
    [{ where: deep }, Code.TOO_LARGE, /deep/],
    [{ where: wide }, Code.TOO_LARGE, /./],
    [{ start: StartFrom.RESUME }, Code.INVALID, /no cursor/],
    [{ key: 'k', start: StartFrom.RESUME, knownSequence: 2n ** 60n }, Code.INVALID, /sequence/],
  ];
  for (const [more, code, detail] of cases) {
    client.say({ case: 'subscribe', value: { subscriptionId: 5, map: 'users', ...more } });
    t.match(client.last('error'), { code, detail }, JSON.stringify(Object.keys(more)));
  }
  bench.settle();
  t.equal(client.last('subscribed'), undefined);
  t.equal(client.session.subscriptions, undefined);
  t.match(bench.gateway.subscriptionCounts, { topics: 0, catchingUp: 0 });
  t.equal(client.closedWith, undefined);
  client.say({ case: 'subscribe', value: { subscriptionId: 5, map: 'users' } });
  bench.settle();
  t.equal(client.last('subscribed')?.subscriptionId, 5, 'the id is free');
});

t.test('SUB-22: few predicates that no index serves, and many that one does', async (t) => {
  const bench = new TestBench();
  const client = bench.client();
  const subscribe = (subscriptionId: number, where: Where): void =>
    client.say({ case: 'subscribe', value: { subscriptionId, map: 'users', where } });
  for (let i = 1; i <= SUBSCRIPTIONS_UNINDEXED_MAX; i++) subscribe(i, unindexed(i));
  for (let i = 100; i < 200; i++) subscribe(i, ageOver(i));
  t.equal(client.last('error'), undefined);
  subscribe(99, unindexed(99));
  t.match(client.last('error'), { code: Code.TOO_LARGE, subscriptionId: 99, detail: /no index/ });
  client.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
  subscribe(98, unindexed(99));
  bench.settle();
  t.equal(fewSize(client.session.subscriptions), SUBSCRIPTIONS_UNINDEXED_MAX + 100);
});

t.test('SUB-23: subscriptions of the same meaning share a topic, others do not', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const clients = [bench.client(1), bench.client(2)];
  const wishes = [
    { where: all(ageOver(1), exists) },
    { where: all(exists, ageOver(1), ageOver(1)) },
    { where: ageOver(1) },
    { where: ageOver(1), withOld: true },
    { key: 'k' },
    { key: 'k' },
    {},
  ];
  const topics = wishes.map((wish, i) => {
    const client = clients[i % 2];
    client.say({ case: 'subscribe', value: { subscriptionId: i + 1, map: 'users', ...wish } });
    bench.settle();
    return client.last('subscribed')!.topics[0];
  });
  t.equal(topics[0], topics[1]);
  t.equal(topics[4], topics[5]);
  t.equal(new Set(topics).size, 5);
  t.equal(bench.gateway.subscriptionCounts.topics, 5);
  for (const client of clients) client.close(1000);
  t.equal(bench.gateway.subscriptionCounts.topics, 0);
});

t.test('SUB-24: a topic that is live is joined at once, without its workers', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const [first, second] = [bench.client(1), bench.client(2)];
  first.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
  t.equal(first.last('subscribed'), undefined);
  bench.settle();
  second.say({ case: 'subscribe', value: { subscriptionId: 2, map: 'users' } });
  t.equal(second.last('subscribed')?.subscriptionId, 2);
});

t.test(
  'SUB-8: a change whose answer went out early is not heard by who joins its topic before its event does',
  async (t) => {
    const bench = new TestBench();
    const clients = [1, 2, 3, 4].map((node) => bench.client(node));
    const [writer, , late, latest] = clients;
    for (const [i, map] of ['a', 'b'].entries())
      clients[i].say({ case: 'subscribe', value: { subscriptionId: 1, map } });
    bench.settle();
    write(writer, put('k', '1', { map: 'a' }), put('k', '1', { map: 'b' }));
    while (bench.turnUnsent() > 0);
    t.equal(writer.results.length, 0);
    late.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'b' } });
    t.equal(writer.results.length, 2, 'what b held back went out, and all answers before it');
    latest.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'a' } });
    bench.settle();
    t.equal(writer.events.length, 1);
    t.same([late.events, latest.events], [[], []]);
  },
);

t.test(
  'SUB-25: a predicate is told of enter, update and leave, with the value before',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const [writer, client] = [bench.client(1), bench.client(2)];
    write(writer, put('ann', aged(20)), put('bob', aged(10)));
    const value = { subscriptionId: 1, map: 'users', where: ageOver(18), withOld: true };
    client.say({ case: 'subscribe', value });
    bench.settle();
    for (const age of [30, 5, 40, 41]) {
      write(writer, put('ann', aged(age)));
      bench.settle();
    }
    write(writer, put('bob', aged(11)), remove('ann'));
    bench.settle();
    const seen = client.events.map(({ kind, key, value, oldValue }) => [
      kind,
      key,
      Buffer.from(value).toString(),
      Buffer.from(oldValue).toString(),
    ]);
    t.same(seen, [
      [EventKind.UPDATE, 'ann', aged(30), aged(20)],
      [EventKind.LEAVE, 'ann', '', aged(30)],
      [EventKind.ENTER, 'ann', aged(40), ''], // what it was before is not for who may see matches
      [EventKind.UPDATE, 'ann', aged(41), aged(40)],
      [EventKind.LEAVE, 'ann', '', aged(41)],
    ]);
  },
);

t.test('SUB-26: who resumes a predicate forgets what matches no more, unnamed', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, put('ann', aged(20)), put('bob', aged(30)), put('cy', aged(40)));
  const client = new ReferenceClient(bench, 9);
  client.follow(1, { map: 'users', where: ageOver(18), start: StartFrom.SNAPSHOT });
  bench.settle();
  bench.second();
  t.equal(Object.keys(valuesOf(client, 1)).length, 3);
  client.disconnect();
  write(writer, put('ann', aged(7)), remove('bob'), put('young', aged(1)));
  bench.settle();
  client.connect(bench);
  bench.settle();
  t.same(valuesOf(client, 1), { cy: aged(40) });
  const slices = slicesOf(client.connection);
  t.equal(slices.flatMap(({ forgotten }) => forgotten).length, 3);
  t.same(
    slices.flatMap(({ events }) => events),
    [],
  );
});

t.test('SUB-27: a worker that starts anew is told predicates too', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const [writer, client] = [bench.client(1), bench.client(2)];
  const value = { subscriptionId: 1, map: 'users', where: ageOver(18) };
  client.say({ case: 'subscribe', value });
  bench.settle();
  for (const worker of [0, 1]) bench.startWorker(worker);
  write(writer, put('ann', aged(20)), put('bob', aged(2)), put('cy', aged(30)));
  bench.settle();
  t.same(client.events.map(({ key }) => key).sort(), ['ann', 'cy']);
});

t.test('SUB-28: sessions that have closed leave nothing behind', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, ...Array.from({ length: 200 }, (_, i) => put(`k${i}`, aged(i))));
  bench.settle();
  const clients = [1, 2, 3].map((node) => new ReferenceClient(bench, node));
  for (const client of clients) {
    client.follow(1, { map: 'users', start: StartFrom.SNAPSHOT });
    client.follow(2, { map: 'users', key: 'k1', start: StartFrom.SNAPSHOT });
    client.follow(3, { map: 'users', where: ageOver(18), maxHz: 10, start: StartFrom.NOW });
    client.connection.say({ case: 'query', value: { requestId: 1, map: 'users' } });
  }
  const streaming = (): unknown[] => [
    bench.gateway.subscriptionCounts.catchingUp,
    bench.gateway.querying,
  ];
  for (let turns = 0; streaming().join() !== '3,3'; turns++) {
    if (turns > 100) throw new Error('nothing streams');
    bench.turn();
  }
  clients[0].disconnect();
  t.same(streaming(), [2, 2], 'at once');
  clients[1].disconnect();
  t.same(streaming(), [1, 1]);
  bench.settle();
  clients[2].connection.buffered = 2 ** 20;
  write(writer, put('k1', aged(1)));
  bench.settle();
  clients[2].disconnect();
  bench.settle();
  const counts = { topics: 0, catchingUp: 0, lagging: 0 };
  t.match(bench.gateway.subscriptionCounts, counts);
  t.match(bench.gateway, { querying: 0, connections: 1, outstanding: 0 });
});

t.test('SUB-53: a control frame beyond its limit is refused before it is decoded', async (t) => {
  const bench = new TestBench();
  const client = bench.client(1);
  const where: Where = all(...Array.from({ length: 8000 }, () => ({})));
  client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users', where } });
  t.equal(client.closedWith, closeCodeOf(Code.TOO_LARGE));
  const stranger = bench.stranger();
  const token = 'x'.repeat(HELLO_BYTES_MAX);
  stranger.say({ case: 'hello', value: { protocolVersion: 1, node: 7, token } });
  t.equal(stranger.closedWith, closeCodeOf(Code.TOO_LARGE));
});

t.test('AUTH-52: a byte order mark is part of a key, also within rows', (t) => {
  const rows = { predicate: { kind: 'all', predicates: [] }, bytes: NO_BYTES, name: '' } as const;
  const literalOf = (key: string): unknown => {
    const condition = conditionWithin({ predicate: NO_BYTES, key: Buffer.from(key) }, rows);
    return condition instanceof Refusal ? condition : Buffer.from(condition.predicate).toString();
  };
  t.match(literalOf('\ufeffk'), '\ufeffk');
  t.notMatch(literalOf('k'), '\ufeffk');
  t.end();
});
