import {
  Code,
  IN_FLIGHT_MAX,
  MAPS_A_PRINCIPAL_MAX,
  MAPS_LENT_A_PRINCIPAL_MAX,
  MAPS_MAX,
  messageOf,
  PRESENCE_RECORDS_A_PRINCIPAL_MAX,
  PRESENCE_RECORDS_MAX,
  parsePredicate,
  SUBSCRIPTIONS_UNINDEXED_A_PRINCIPAL_MAX,
  SUBSCRIPTIONS_UNINDEXED_MAX,
} from '@tidewire/core';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import type { FakeClient } from './fake-transport.js';
import { put, write } from './operations.js';
import { ALL_RIGHTS, PolicedBench, ROOT, type SpiedClient } from './policed-bench.js';

/** Everybody may write every map, records of their own alone; and one kind of maps as they like. */
const GRANTS = [
  { maps: ['*'], rights: ALL_RIGHTS, where: `owner = '\${sub}'` },
  { maps: ['free-*'], rights: ALL_RIGHTS },
];
/** Not everything: whoever may do everything is not counted. */
const READERS = { maps: ['*'], rights: ['read', 'subscribe'] };
const here = { whileConnected: true };
let subscriptions = 0;

const putIn = (map: string, owner: string, more: object = {}): object =>
  put('k', JSON.stringify({ owner }), { map, ...more });

/** Puts into `count` maps of this prefix. Returns how many were refused, and the last answer. */
function putAll(
  bench: PolicedBench,
  client: FakeClient,
  count: number,
  putOf: (i: number) => object,
): number {
  const before = client.results.length;
  for (let i = 0; i < count; i += IN_FLIGHT_MAX) {
    const puts = Array.from({ length: Math.min(IN_FLIGHT_MAX, count - i) }, (_, j) => putOf(i + j));
    write(client, ...puts);
    bench.settle();
  }
  return client.results.slice(before).filter(({ refusal }) => refusal !== 0).length;
}

t.test('LIMIT-56: maps into which every write was refused take no id', async (t) => {
  const bench = new PolicedBench(GRANTS, { workers: 2 });
  const eve = await bench.member({ sub: 'eve' });
  const refused = putAll(bench, eve, 2 * MAPS_MAX, (i) => putIn(`m${i}`, 'bob'));
  t.equal(refused, 2 * MAPS_MAX);
  t.equal(eve.results.at(-1)?.refusal, Code.FORBIDDEN);
  const bob = await bench.member({ sub: 'bob' });
  t.match(bench.done(bob, putIn('m7', 'bob')), { outcome: Code.APPLIED });
  const get = { kind: OperationKind.GET, key: 'k' };
  t.match(bench.done(bob, { ...get, map: 'm7' }), { outcome: Code.FOUND });
  t.match(bench.done(bob, { ...get, map: 'm8' }), { outcome: Code.ABSENT });
  const root = await bench.member(ROOT);
  const made = putAll(bench, root, MAPS_MAX - 1, (i) => putIn(`made-${i}`, 'root'));
  t.equal(made, 0, 'there is room for as many as there may be');
  t.match(bench.done(root, putIn('more', 'root')), { refusal: Code.TOO_LARGE, detail: /maps/ });
});

t.test('LIMIT-56: a map is read while its first write is under way', async (t) => {
  const bench = new PolicedBench(GRANTS);
  const bob = await bench.member({ sub: 'bob' });
  const eve = await bench.member({ sub: 'eve' });
  write(eve, putIn('m', 'bob'));
  write(bob, putIn('m', 'bob'), { requestId: 9001, kind: OperationKind.GET, map: 'm', key: 'k' });
  write(eve, putIn('m', 'bob'));
  bench.settle();
  t.match(bob.results.at(-1), { requestId: 9001, outcome: Code.FOUND });
  t.ok(eve.results.every(({ refusal }) => refusal === Code.FORBIDDEN));
  bench.startWorker(0);
  write(eve, putIn('other', 'bob'));
  bench.settle();
  t.match(bench.done(bob, putIn('third', 'bob')), { outcome: Code.APPLIED });
  const root = await bench.member(ROOT);
  const get = { kind: OperationKind.GET, key: 'k' };
  t.match(
    bench.done(root, { ...get, map: 'm' }),
    { outcome: Code.FOUND },
    'it has its id for good',
  );
  t.match(bench.done(root, { ...get, map: 'other' }), { outcome: Code.ABSENT });
});

t.test('LIMIT-57: one principal makes so many maps and no more', async (t) => {
  const bench = new PolicedBench(GRANTS);
  const eves = [await bench.member({ sub: 'eve' }), await bench.member({ sub: 'eve' })];
  for (const [i, eve] of eves.entries()) {
    const puts = (j: number): object => putIn(`free-${i}-${j >> 1}`, 'eve');
    t.equal(putAll(bench, eve, MAPS_A_PRINCIPAL_MAX, puts), 0, 'half of it, with two puts each');
  }
  const tooMany = { refusal: Code.TOO_LARGE, detail: new RegExp(`${MAPS_A_PRINCIPAL_MAX} maps`) };
  for (const eve of eves) t.match(bench.done(eve, putIn('free-more', 'eve')), tooMany);
  t.match(bench.done(eves[0], putIn('free-1-5', 'eve')), { outcome: Code.APPLIED });
  for (const eve of eves) eve.close(1006);
  bench.second();
  const again = await bench.member({ sub: 'eve' });
  t.match(bench.done(again, putIn('free-more', 'eve')), tooMany, 'nor on a later connection');
  const bob = await bench.member({ sub: 'bob' });
  t.match(bench.done(bob, putIn('free-more', 'bob')), { outcome: Code.APPLIED });
  t.match(bench.done(again, putIn('free-more', 'eve')), { outcome: Code.APPLIED });
});

t.test('LIMIT-58: presence puts that are refused count in no limit', async (t) => {
  const bench = new PolicedBench(GRANTS);
  const eve = await bench.member({ sub: 'eve' });
  const refused = putAll(bench, eve, 4 * PRESENCE_RECORDS_MAX, (i) =>
    put(`k${i}`, '{"owner":"bob"}', here),
  );
  t.equal(refused, 4 * PRESENCE_RECORDS_MAX);
  t.equal(eve.results.at(-1)?.refusal, Code.FORBIDDEN, 'all of them by the rule');
  const own = put('mine', '{"owner":"eve"}', here);
  write(eve, own, put('mine', '{"owner":"bob"}', here));
  bench.settle();
  t.match(eve.results.at(-2), { outcome: Code.APPLIED });
  t.match(eve.results.at(-1), { refusal: Code.FORBIDDEN });
  eve.close(1006);
  for (let i = 0; i < 20; i++) bench.second();
  const root = await bench.member(ROOT);
  const get = { kind: OperationKind.GET, map: 'users', key: 'mine' };
  t.match(bench.done(root, get), { outcome: Code.ABSENT }, 'what was applied ends all the same');
});

/** Subscribes under the next ids. Returns how many were refused, and the last refusal. */
function subscribeAll(bench: PolicedBench, client: SpiedClient, asked: readonly object[]) {
  const before = client.frames.length;
  for (const each of asked)
    client.say({ case: 'subscribe', value: { subscriptionId: ++subscriptions, ...each } });
  bench.settle();
  const errors = client.frames
    .slice(before)
    .flatMap(({ body }) => (body.case === 'error' ? body.value : []));
  return { refused: errors.length, last: errors.at(-1) };
}

t.test('LIMIT-60: one principal has so many predicates that no index serves', async (t) => {
  const bench = new PolicedBench([READERS]);
  const connections = SUBSCRIPTIONS_UNINDEXED_A_PRINCIPAL_MAX / SUBSCRIPTIONS_UNINDEXED_MAX;
  const linear = (i: number): object => ({
    map: 'room',
    where: messageOf(parsePredicate(`n != ${i}`)),
  });
  const some = (first: number): object[] =>
    Array.from({ length: SUBSCRIPTIONS_UNINDEXED_MAX }, (_, i) => linear(first + i));
  const eves: SpiedClient[] = [];
  for (let i = 0; i < connections; i++) {
    const eve = await bench.member({ sub: 'eve' });
    eves.push(eve);
    t.equal(subscribeAll(bench, eve, some(100 * i)).refused, 0);
  }
  const eve = await bench.member({ sub: 'eve' });
  const { last } = subscribeAll(bench, eve, [linear(9999)]);
  const limit = new RegExp(`${SUBSCRIPTIONS_UNINDEXED_A_PRINCIPAL_MAX} predicates`);
  t.match(last, { code: Code.TOO_LARGE, detail: limit });
  const bob = await bench.member({ sub: 'bob' });
  t.equal(subscribeAll(bench, bob, some(5000)).refused, 0, 'others are not concerned');
  eves[0].close(1006);
  bench.settle();
  t.equal(subscribeAll(bench, eve, [linear(9999)]).refused, 0, 'what has ended counts no longer');
});

t.test('LIMIT-61: one principal watches so many maps that nobody has written', async (t) => {
  const bench = new PolicedBench([READERS]);
  const root = await bench.member(ROOT);
  bench.done(root, putIn('written', 'root'));
  const eve = await bench.member({ sub: 'eve' });
  const other = await bench.member({ sub: 'eve' });
  const maps = Array.from({ length: MAPS_LENT_A_PRINCIPAL_MAX }, (_, i) => ({ map: `un-${i}` }));
  const first = subscriptions + 1;
  t.equal(subscribeAll(bench, eve, maps).refused, 0);
  const { last } = subscribeAll(bench, other, [{ map: 'more' }]);
  t.match(last, { code: Code.TOO_LARGE, detail: new RegExp(`${MAPS_LENT_A_PRINCIPAL_MAX} sub`) });
  const known = [{ map: 'un-7', key: 'k' }, { map: 'un-0' }, { map: 'written' }];
  t.equal(subscribeAll(bench, other, known).refused, 0, 'those that it watches, or are written');
  const bob = await bench.member({ sub: 'bob' });
  t.equal(subscribeAll(bench, bob, [{ map: 'more' }]).refused, 0, 'others are not concerned');
  eve.say({ case: 'unsubscribe', value: { subscriptionId: first } });
  t.equal(subscribeAll(bench, other, [{ map: 'new' }]).refused, 1, 'un-0 is still watched');
  eve.say({ case: 'unsubscribe', value: { subscriptionId: first + 1 } });
  t.equal(subscribeAll(bench, other, [{ map: 'new' }]).refused, 0);
});

t.test('LIMIT-59: one principal puts so many presence records and no more', async (t) => {
  const bench = new PolicedBench(GRANTS);
  const eves: FakeClient[] = [];
  for (let i = 0; i < PRESENCE_RECORDS_A_PRINCIPAL_MAX / PRESENCE_RECORDS_MAX; i++) {
    const eve = await bench.member({ sub: 'eve' });
    eves.push(eve);
    putAll(bench, eve, PRESENCE_RECORDS_MAX, (j) => put(`${i}-${j}`, '{"owner":"eve"}', here));
    t.match(eve.results.at(-1), { outcome: Code.APPLIED });
  }
  const last = await bench.member({ sub: 'eve' });
  const more = put('more', '{"owner":"eve"}', here);
  const limit = new RegExp(`${PRESENCE_RECORDS_A_PRINCIPAL_MAX} records`);
  t.match(bench.done(last, more), { refusal: Code.TOO_LARGE, detail: limit });
  const bob = await bench.member({ sub: 'bob' });
  t.match(bench.done(bob, put('bob', '{"owner":"bob"}', here)), { outcome: Code.APPLIED });
  eves[0].close(1006);
  for (let i = 0; i < 20; i++) bench.second();
  t.match(bench.done(last, more), { outcome: Code.APPLIED }, 'what has ended counts no longer');
});
