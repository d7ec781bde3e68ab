import { Code } from '@tidewire/core';
import { EventKind, type Hello, StartFrom } from '@tidewire/schemas';
import { type Test, test } from 'tap';
import type { TypedMap } from '#lib/typed-map.js';
import { applied, connected, reconnect, rejectionOf } from './connected.js';
import { type FakeEnvironment, settled } from './fake-environment.js';
import {
  asked,
  catchUp,
  changes,
  events,
  gone,
  live,
  progress,
  put,
  renewal,
  snapshot,
  utf8,
} from './frames.js';

const OVER_17 = { kind: 'gt', field: { kind: 'value', steps: ['age'] }, literal: 17 } as const;

interface Heard {
  readonly environment: FakeEnvironment;
  /** All that was told, in order. */
  readonly heard: string[];
}

type Way = 'map' | 'from snapshot' | 'key' | 'query';

/** A subscription that is live on topic 5; a snapshot has not come yet. */
async function subscribed(way: Way): Promise<Heard> {
  const { client, environment } = await connected();
  const heard: string[] = [];
  const opening = open(client.map<{ n: number }>('m'), way, heard);
  await settled();
  live(environment, 1, 5);
  await opening;
  return { environment, heard };
}

function open(map: TypedMap<{ n: number }>, way: Way, heard: string[]): Promise<unknown> {
  const options = {
    onReady: () => heard.push('ready'),
    onGap: (reason: string) => heard.push(`gap: ${reason}`),
    onLag: (isLagging: boolean) => heard.push(`lag ${isLagging}`),
  };
  const onEvent = (event: { kind: string; key: string; value: unknown }): void => {
    heard.push(`${event.kind} ${event.key} ${JSON.stringify(event.value) ?? ''}`.trim());
  };
  if (way === 'query') return map.query(OVER_17, onEvent, options);
  if (way === 'key') return map.subscribe(onEvent, { ...options, key: 'a' });
  return map.subscribe(onEvent, { ...options, from: way === 'map' ? 'now' : 'snapshot' });
}

function helloOf(environment: FakeEnvironment): Hello {
  return environment.socket.bodies('hello')[0].value as Hello;
}

function startOf(environment: FakeEnvironment): StartFrom {
  return asked(environment)[0].start;
}

test('CLIENT-100: subscribe begins now and query with a snapshot, unless told otherwise', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const ignore = (): void => {};
  for (const call of [
    map.subscribe(ignore),
    map.subscribe(ignore, { key: 'k', from: 'snapshot', maxHz: 20 }),
    map.query(OVER_17, ignore),
    map.query(OVER_17, ignore, { from: 'now', withOld: true, maxHz: 1 }),
  ])
    call.catch(() => {});
  await settled();
  t.match(asked(environment), [
    { map: 'm', key: '', where: undefined, start: StartFrom.NOW, maxHz: 0, withOld: false },
    { map: 'm', key: 'k', start: StartFrom.SNAPSHOT, maxHz: 20 },
    { key: '', where: { test: { case: 'gt' } }, start: StartFrom.SNAPSHOT, withOld: false },
    { where: { test: { case: 'gt' } }, start: StartFrom.NOW, withOld: true, maxHz: 1 },
  ]);
  client.close();
});

test('CLIENT-107: a query hears enter, update and leave, with the value before if asked', async (t) => {
  const { client, environment } = await connected();
  const heard: unknown[] = [];
  const opening = client
    .map<{ n: number }>('m')
    .query(
      OVER_17,
      ({ kind, key, value, previous, storedAs, previousStoredAs }) =>
        heard.push([kind, key, value, previous, storedAs, previousStoredAs]),
      { withOld: true },
    );
  await settled();
  live(environment, 1, 5);
  const subscription = await opening;
  t.same([subscription.map, subscription.key, subscription.where], ['m', undefined, OVER_17]);
  catchUp(environment, 1, [snapshot([put('a', 1)])]);
  const old = { oldValue: utf8('{"n":0}'), oldValueKind: 1 };
  events(environment, 5, put('b', 2, { kind: EventKind.ENTER, ...old }));
  events(environment, 5, put('a', 3, { kind: EventKind.UPDATE, oldValue: utf8('"x"') }));
  const bytes = { oldValue: Uint8Array.of(255), oldValueKind: 2 };
  events(environment, 5, gone('a', 4, { kind: EventKind.LEAVE, ...bytes }));
  t.same(heard, [
    ['enter', 'a', { n: 1 }, undefined, 'json', 'none'],
    ['enter', 'b', { n: 2 }, { n: 0 }, 'json', 'json'],
    ['update', 'a', { n: 3 }, 'x', 'json', 'json'],
    ['leave', 'a', undefined, Uint8Array.of(255), 'none', 'bytes'],
  ]);
});

test('CLIENT-108, CLIENT-109: Hello carries what was delivered, and seen in events, slices and results', async (t) => {
  const { client, environment } = await connected();
  t.equal(helloOf(environment).cursor, undefined);
  client
    .map('m')
    .subscribe(() => {})
    .catch(() => {});
  await settled();
  live(environment, 1, 5);
  progress(environment, { 85: 3, 7: 9 });
  events(environment, 5, put('a', 5), put('b', 4));
  catchUp(environment, 1, [changes([put('c', 2, { partition: 8 })], { partition: 8 })]);
  catchUp(environment, 1, [snapshot([], { partition: 6, sequence: 70n })]);
  const writing = client.map('m').put('k', 1);
  await settled();
  environment.socket.answer(applied(environment.socket.operations[0], { partition: 9 }));
  await writing;
  reconnect(environment);
  const { cursor } = helloOf(environment);
  t.match(cursor, { store: 99n, epoch: 7n });
  const plain = (list: { partition: number; sequence: bigint }[] = []): unknown =>
    Object.fromEntries(list.map(({ partition, sequence }) => [partition, Number(sequence)]));
  t.same(plain(cursor?.delivered), { 85: 3, 7: 9 });
  t.same(plain(cursor?.seen), { 85: 5, 8: 2, 6: 70, 9: 12 });
});

test('CLIENT-123: a Progress that comes while a subscription resumes moves the cursor after it', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const opening = [map.subscribe(() => {}), map.subscribe(() => {})];
  await settled();
  live(environment, 1, 5);
  live(environment, 2, 6);
  await Promise.all(opening);
  progress(environment, { 85: 3 });
  const delivered = (): unknown =>
    helloOf(environment).cursor?.delivered.map(({ sequence }) => Number(sequence));
  reconnect(environment);
  live(environment, 1, 5);
  catchUp(environment, 1, []);
  progress(environment, { 85: 9 }); // the server has not read of the second one yet
  reconnect(environment);
  t.same(delivered(), [3]);
  for (const id of [1, 2]) live(environment, id, id);
  catchUp(environment, 1, []);
  progress(environment, { 85: 9 });
  catchUp(environment, 2, []);
  reconnect(environment);
  t.same(delivered(), [9]);
});

test('CLIENT-110: what is whole resumes, a key with the sequence held of it', async (t) => {
  const { environment, heard } = await subscribed('map');
  events(environment, 5, put('a', 4));
  progress(environment, { 85: 4 });
  reconnect(environment);
  t.match(asked(environment), [{ start: StartFrom.RESUME, knownSequence: 0n }]);
  live(environment, 1, 6);
  catchUp(environment, 1, [changes([put('a', 4), put('b', 5)])]);
  t.same(heard, ['ready', 'put a {"n":4}', 'put b {"n":5}', 'ready']);

  const key = await subscribed('key');
  events(key.environment, 5, put('a', 4));
  progress(key.environment, { 85: 4 });
  reconnect(key.environment);
  t.match(asked(key.environment), [{ key: 'a', start: StartFrom.RESUME, knownSequence: 4n }]);
  live(key.environment, 1, 6);
  catchUp(key.environment, 1, [snapshot([])]);
  t.same(key.heard, ['ready', 'put a {"n":4}', 'remove a', 'ready']);
});

test('CLIENT-110: a snapshot that was not whole, or a call not confirmed, is asked for again', async (t) => {
  const { environment, heard } = await subscribed('query');
  catchUp(environment, 1, [snapshot([put('a', 1), put('b', 2)], { ends: false })], {});
  progress(environment, { 85: 9 });
  reconnect(environment);
  t.equal(startOf(environment), StartFrom.SNAPSHOT);
  live(environment, 1, 6);
  catchUp(environment, 1, [snapshot([put('b', 2)])]);
  t.same(heard, ['enter a {"n":1}', 'enter b {"n":2}', 'leave a', 'ready']);
  reconnect(environment);
  t.equal(startOf(environment), StartFrom.RESUME);

  const { client, environment: other } = await connected();
  client
    .map('m')
    .subscribe(() => {})
    .catch(() => {});
  progress(other, { 85: 9 });
  await settled();
  reconnect(other);
  t.equal(startOf(other), StartFrom.NOW);
});

test('CLIENT-111: another store: everything is asked for anew, replaced, and the gap told', async (t) => {
  for (const welcome of [{ store: 100n }, { epoch: 6n }]) {
    const { environment, heard } = await subscribed('map');
    events(environment, 5, put('a', 40), put('b', 41));
    progress(environment, { 85: 41 });
    reconnect(environment, welcome);
    t.equal(startOf(environment), StartFrom.SNAPSHOT);
    live(environment, 1, 6);
    catchUp(environment, 1, [snapshot([put('a', 2)])]);
    t.match(heard.slice(3), [/^gap: .*another database/, 'put a {"n":2}', 'remove b', 'ready']);
    progress(environment, { 85: 2 }, welcome.epoch);
    reconnect(environment, welcome);
    t.equal(startOf(environment), StartFrom.RESUME);
  }
});

test('CLIENT-112: a resumption answered with a SNAPSHOT is told as a gap, once each time', async (t) => {
  const { environment, heard } = await subscribed('from snapshot');
  catchUp(environment, 1, [snapshot([put('a', 1)])]);
  progress(environment, { 85: 1 });
  t.same(heard.splice(0), ['put a {"n":1}', 'ready'], 'the first one is none');
  for (const round of [1, 2]) {
    reconnect(environment);
    live(environment, 1, 6);
    const other = { partition: 4 };
    catchUp(environment, 1, [snapshot([put('a', 1)]), snapshot([], other)]);
    t.match(heard.splice(0), [/^gap: .*no longer knows/, 'ready'], `connection ${round}`);
  }
  catchUp(environment, 1, [snapshot([])]);
  t.match(heard, [/^gap/, 'remove a', 'ready'], 'and on the same connection, after a lag');
});

test('CLIENT-124: a resumption answered with a RENEWAL is no gap', async (t) => {
  const { environment, heard } = await subscribed('from snapshot');
  catchUp(environment, 1, [snapshot([put('a', 1), put('b', 2)])]);
  progress(environment, { 85: 2 });
  heard.splice(0);
  reconnect(environment);
  live(environment, 1, 6);
  catchUp(environment, 1, [renewal([put('b', 2), put('c', 4)])]);
  t.same(heard, ['put c {"n":4}', 'remove a', 'ready']);
});

test('CLIENT-112: the state of a key is no gap, unless it is older than what was known', async (t) => {
  const { environment, heard } = await subscribed('key');
  events(environment, 5, put('a', 4));
  progress(environment, { 85: 4 });
  reconnect(environment);
  live(environment, 1, 6);
  catchUp(environment, 1, [snapshot([put('a', 9)])]);
  t.same(heard.splice(0), ['ready', 'put a {"n":4}', 'put a {"n":9}', 'ready']);
  reconnect(environment, { epoch: 8n });
  t.equal(startOf(environment), StartFrom.RESUME);
  live(environment, 1, 6);
  catchUp(environment, 1, [snapshot([put('a', 8)])]);
  t.match(heard, [/^gap: .*lost/, 'put a {"n":8}', 'ready']);
});

test('CLIENT-113: without any Progress changes begin now, which is a gap; a snapshot comes again', async (t) => {
  const now = await subscribed('map');
  events(now.environment, 5, put('a', 40));
  reconnect(now.environment, { epoch: 8n });
  t.equal(startOf(now.environment), StartFrom.NOW);
  live(now.environment, 1, 6);
  events(now.environment, 6, put('a', 30));
  const again = [/^gap: .*before/, 'ready', 'put a {"n":30}'];
  t.match(now.heard, ['ready', 'put a {"n":40}', ...again]);
  const filled = await subscribed('query');
  catchUp(filled.environment, 1, [snapshot([put('a', 1), put('b', 2)])]);
  reconnect(filled.environment);
  t.equal(startOf(filled.environment), StartFrom.SNAPSHOT);
  live(filled.environment, 1, 6);
  catchUp(filled.environment, 1, [snapshot([put('b', 2)])]);
  t.same(filled.heard.slice(2), ['ready', 'leave a', 'ready']);
});

test('CLIENT-115: a lag is told, and its end', async (t) => {
  const { environment, heard } = await subscribed('map');
  environment.socket.push({ case: 'lag', value: { isLagging: true } });
  environment.socket.push({ case: 'lag', value: { isLagging: false } });
  catchUp(environment, 1, [changes([put('a', 3)])]);
  t.same(heard, ['ready', 'lag true', 'lag false', 'put a {"n":3}', 'ready']);
});

test('CLIENT-116: a handler that closes its subscription hears nothing more, within a slice too', async (t) => {
  const { client, environment } = await connected();
  const heard: string[] = [];
  const opening = client.map('m').subscribe(
    ({ key }) => {
      heard.push(key);
      opening.then((subscription) => subscription.close());
      close?.();
    },
    { from: 'snapshot', onReady: () => heard.push('ready') },
  );
  let close: (() => void) | undefined;
  await settled();
  live(environment, 1, 5);
  close = (await opening).close;
  catchUp(environment, 1, [snapshot([put('a', 1), put('b', 2)])]);
  t.same(heard, ['a']);

  const gap = await connected();
  const call = gap.client.map('m').subscribe(() => {}, { onGap: () => closeGap?.() });
  let closeGap: (() => void) | undefined;
  await settled();
  live(gap.environment, 1, 5);
  closeGap = (await call).close;
  reconnect(gap.environment);
  t.same(asked(gap.environment), [], 'closed by its onGap, it is not asked for');
});

test('CLIENT-117: a Progress of another epoch or a bad slice ends the connection', async (t) => {
  const bad: ((environment: FakeEnvironment) => void)[] = [
    (environment) => progress(environment, { 85: 1 }, 8n),
    (environment) => catchUp(environment, 1, [snapshot([], { begins: false })]),
  ];
  for (const send of bad) {
    const { environment } = await subscribed('map');
    send(environment);
    t.equal(environment.socket.closedWith, 4000 + Code.INVALID);
  }
});

test('CLIENT-118: options and predicates that are not sound never leave the client', async (t) => {
  const { client, environment } = await connected({ predicateBytesMax: 100 });
  const map = client.map('m');
  const ignore = (): void => {};
  const eq = (literal: string | number) => ({ ...OVER_17, kind: 'eq', literal }) as const;
  const refused: [Promise<unknown>, Code][] = [
    [map.subscribe(ignore, { maxHz: 0 }), Code.INVALID],
    [map.subscribe(ignore, { maxHz: 1001 }), Code.INVALID],
    [map.query(OVER_17, ignore, { maxHz: 1.5 }), Code.INVALID],
    [map.query(eq(Number.NaN), ignore), Code.INVALID],
    [map.query(eq('x'.repeat(101)), ignore), Code.TOO_LARGE],
    [map.query(eq('x'.repeat(10_000)), ignore), Code.TOO_LARGE],
    [client.map('').query(OVER_17, ignore), Code.INVALID],
  ];
  await allRefused(t, refused);
  t.same(asked(environment), []);
});

async function allRefused(t: Test, calls: [Promise<unknown>, Code][]): Promise<void> {
  for (const [call, code] of calls) t.match(await rejectionOf(call), { code });
}
