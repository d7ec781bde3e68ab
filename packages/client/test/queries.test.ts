import type { MessageInitShape } from '@bufbuild/protobuf';
import { CLIENT_ROWS_BYTES_MAX, Code } from '@tidewire/core';
import type { Query, RowsSchema } from '@tidewire/schemas';
import { test } from 'tap';
import type { Entry } from '#lib/entry.js';
import type { Fields } from '#lib/query-builder.js';
import { connected, reconnect, rejectionOf } from './connected.js';
import { type FakeEnvironment, settled } from './fake-environment.js';
import { put } from './frames.js';

interface City {
  readonly n: number;
}

function queries({ socket }: FakeEnvironment): Query[] {
  return socket.bodies('query').map((body) => body.value as Query);
}

function cancelled({ socket }: FakeEnvironment): unknown[] {
  return socket.bodies('cancelQuery').map((body) => (body.value as Query).requestId);
}

function rows(
  { socket }: FakeEnvironment,
  requestId: number,
  keys: readonly string[],
  more: MessageInitShape<typeof RowsSchema> = {},
): void {
  const list = keys.map((key, i) => put(key, i + 1));
  socket.push({ case: 'rows', value: { requestId, rows: list, ...more } as typeof more });
}

const DONE = { isDone: true } as const;
const FULL = {
  isDone: true,
  refusal: Code.OVERLOADED,
  detail: 'Full.',
  retryAfterMs: 500,
} as const;

/** What a list gives, and how it ends. */
async function taken(list: AsyncIterable<Entry<unknown>>): Promise<(string | number)[]> {
  const heard: (string | number)[] = [];
  try {
    for await (const { key } of list) heard.push(key);
    heard.push('end');
  } catch (error) {
    heard.push((error as { code: number }).code);
  }
  return heard;
}

test('CLIENT-130: fetch gives the rows in their order, count their number', async (t) => {
  const { client, environment } = await connected();
  const map = client.map<City>('m');
  const fetching = map.fetch({
    where: (city) => city.n.gt(1),
    orderBy: 'address.city',
    descending: true,
    limit: 5,
  });
  const counting = map.count({ where: (city) => city.n.gt(2) });
  const all = map.fetch();
  await settled();
  t.match(queries(environment), [
    {
      map: 'm',
      where: { test: { case: 'gt' } },
      orderBy: { steps: [{ step: { value: 'address' } }, { step: { value: 'city' } }] },
      descending: true,
      limit: 5,
      countOnly: false,
    },
    { where: { test: { case: 'gt' } }, limit: 0, countOnly: true },
    { where: undefined, orderBy: undefined, limit: 0 },
  ]);
  rows(environment, 1, ['b', 'a']);
  rows(environment, 3, ['x']);
  rows(environment, 1, ['c'], { ...DONE, count: 9n });
  rows(environment, 2, [], { ...DONE, count: 1234n });
  rows(environment, 3, [], DONE);
  const [b, a, c] = await fetching;
  t.same([b.key, a.key, c.key], ['b', 'a', 'c']);
  t.match(a, { value: { n: 2 }, sequence: 2, partition: 85, storedAs: 'json', stamp: { node: 9 } });
  t.equal(await counting, 1234);
  t.equal((await all).length, 1);
  rows(environment, 1, ['late']);
  t.equal(client.state, 'connected');
});

test('CLIENT-131: list gives rows as they come; leaving it calls the query off', async (t) => {
  const { client, environment } = await connected();
  const map = client.map<City>('m');
  const unread = map.list();
  await settled();
  t.same(queries(environment), [], 'nothing is asked before the first row is wanted');
  const whole = taken(map.list({ limit: 3 }));
  await settled();
  rows(environment, 1, ['a', 'b']);
  rows(environment, 1, ['c'], DONE);
  t.same(await whole, ['a', 'b', 'c', 'end']);
  const first = unread.next();
  await settled();
  rows(environment, 2, ['a', 'b']);
  t.match(await first, { value: { key: 'a' } });
  await unread.return();
  t.same(cancelled(environment), [2]);
  rows(environment, 2, ['c'], DONE);
  t.match(await unread.next(), { done: true });
});

test('CLIENT-132: no more queries are under way than the server allows; the rest waits', async (t) => {
  const { client, environment } = await connected({ queriesMax: 2 });
  const map = client.map<City>('m');
  const calls = [1, 2, 3, 4].map(() => map.count());
  await settled();
  t.equal(queries(environment).length, 2);
  rows(environment, 2, [], { ...DONE, count: 2n });
  t.equal(queries(environment).length, 3);
  rows(environment, 1, [], DONE);
  rows(environment, 3, [], DONE);
  rows(environment, 4, [], { ...DONE, count: 4n });
  t.same(await Promise.all(calls), [0, 2, 0, 4]);
  const many = Array.from({ length: 1025 }, () => map.count());
  const settledAll = Promise.allSettled(many);
  t.match(await rejectionOf(many[1024]), { code: Code.OVERLOADED });
  t.equal(await rejectionOf(many[1023]), 'pending');
  client.close();
  const [first] = await settledAll;
  t.match(first, { reason: { code: Code.UNAVAILABLE } });
  t.match(await rejectionOf(map.count()), { code: Code.UNAVAILABLE });
  t.equal(environment.timerCount, 0);
});

test('CLIENT-133: OVERLOADED and UNAVAILABLE are tried again within the time, others are not', async (t) => {
  const { client, environment } = await connected({}, { operationTimeoutMs: 2000 });
  const map = client.map<City>('m');
  const fetching = map.fetch();
  await settled();
  rows(environment, 1, ['a']);
  rows(environment, 1, [], FULL);
  environment.pass(499);
  t.equal(queries(environment).length, 1);
  environment.pass(1);
  rows(environment, 2, ['b'], { isDone: true, refusal: Code.UNAVAILABLE });
  environment.pass(500);
  rows(environment, 3, ['c'], DONE);
  t.same(
    (await fetching).map(({ key }) => key),
    ['c'],
    'rows of earlier attempts are forgotten',
  );
  const invalid = map.fetch();
  await settled();
  rows(environment, 4, [], { isDone: true, refusal: Code.INVALID, detail: 'No.' });
  t.match(await rejectionOf(invalid), { code: Code.INVALID, detail: 'No.' });
  const late = map.fetch();
  await settled();
  environment.pass(1600);
  rows(environment, 5, [], FULL);
  t.match(await rejectionOf(late), { code: Code.OVERLOADED }, 'there is no time for a pause');
});

test('CLIENT-134: a query without rows for too long is given up and called off', async (t) => {
  const { client, environment } = await connected({}, { operationTimeoutMs: 2000 });
  const fetching = client.map('m').fetch();
  await settled();
  environment.pass(1999);
  rows(environment, 1, ['a']);
  environment.pass(1999);
  t.equal(await rejectionOf(fetching), 'pending', 'rows give it more time');
  environment.pass(1);
  t.match(await rejectionOf(fetching), { code: Code.UNAVAILABLE });
  t.same(cancelled(environment), [1]);
});

test('CLIENT-135: after a lost connection a query is put again, unless rows were given away', async (t) => {
  const { client, environment } = await connected();
  const map = client.map<City>('m');
  const fetching = map.fetch();
  const listing = taken(map.list());
  const begun = taken(map.list());
  await settled();
  rows(environment, 1, ['a']);
  rows(environment, 3, ['b']);
  await settled();
  reconnect(environment);
  t.equal(queries(environment).length, 2);
  rows(environment, 1, ['old']);
  rows(environment, 4, ['x'], DONE);
  rows(environment, 5, ['y'], DONE);
  t.same(
    (await fetching).map(({ key }) => key),
    ['x'],
  );
  t.same(await listing, ['y', 'end']);
  t.same(await begun, ['b', Code.UNAVAILABLE]);
});

test('CLIENT-136: rows beyond what a client holds end a query', async (t) => {
  const { client, environment } = await connected();
  const map = client.map<City>('m');
  const fetching = map.fetch();
  const list = map.list();
  const first = list.next();
  await settled();
  const value = new Uint8Array(CLIENT_ROWS_BYTES_MAX / 4);
  const flood = (requestId: number): void => {
    for (let i = 0; i < 5; i++)
      environment.socket.push({
        case: 'rows',
        value: { requestId, rows: [put('k', 1, { value })] },
      });
  };
  flood(1);
  t.match(await rejectionOf(fetching), { code: Code.TOO_LARGE });
  flood(2);
  t.match(await rejectionOf(first), { code: Code.SLOW_CONSUMER });
  t.same(cancelled(environment), [1, 2]);
});

test('CLIENT-137: queries that are not sound never leave the client', async (t) => {
  const { client, environment } = await connected({ queryRowsMax: 10, predicateBytesMax: 50 });
  const map = client.map<City>('m');
  const refused: [Promise<unknown>, Code][] = [
    [map.fetch({ orderBy: 'n' }), Code.INVALID],
    [map.fetch({ descending: true }), Code.INVALID],
    [map.fetch({ orderBy: 'n = 1 or x', limit: 1 }), Code.INVALID],
    [map.fetch({ orderBy: '', limit: 1 }), Code.INVALID],
    [map.fetch({ limit: 0 }), Code.INVALID],
    [map.fetch({ limit: 1.5 }), Code.INVALID],
    [map.fetch({ limit: 11 }), Code.TOO_LARGE],
    [map.list({ limit: 11 }).next(), Code.TOO_LARGE],
    [map.count({ where: (city) => city.$key.eq('x'.repeat(60)) }), Code.TOO_LARGE],
    [client.map('').fetch(), Code.INVALID],
    [client.map(7 as never).fetch(), Code.INVALID],
    [map.fetch({ where: 'n >' }), Code.INVALID],
  ];
  for (const [call, code] of refused) t.match(await rejectionOf(call), { code });
  t.same(queries(environment), []);
});

test('CLIENT-167: a predicate may be given as its text, and goes out as the same bytes', async (t) => {
  const { client, environment } = await connected();
  const map = client.map<City>('m');
  for (const where of ['n > 1', (city: Fields<City>) => city.n.gt(1)] as const)
    void map.fetch({ where });
  await settled();
  const [text, built] = queries(environment).map((query) => query.where);
  t.ok(text !== undefined);
  t.same(text, built);
});
