import type { MessageInitShape } from '@bufbuild/protobuf';
import { Code, QUERIES_MAX, QUERY_ROWS_MAX, SESSION_SOFT_BYTES } from '@tidewire/core';
import type { Row } from '@tidewire/core/threads';
import {
  EventKind,
  type PredicateSchema,
  type QuerySchema,
  type RecordField,
  type Rows,
} from '@tidewire/schemas';
import t from 'tap';
import { RowMerge } from '#lib/query/row-merge.js';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { put, remove, write } from './operations.js';

type Asked = Omit<MessageInitShape<typeof QuerySchema>, '$typeName'>;
const age = { steps: [{ step: { case: 'name' as const, value: 'age' } }] };
const ageOver = (number: number): MessageInitShape<typeof PredicateSchema> => ({
  test: {
    case: 'gt',
    value: { field: age, literal: { literal: { case: 'number', value: number } } },
  },
});
const aged = (key: string, value: number, pad = 0): object =>
  put(key, JSON.stringify({ age: value, pad: 'x'.repeat(pad) }));
const ask = (client: FakeClient, query: Asked): void =>
  client.say({ case: 'query', value: { requestId: 1, map: 'users', ...query } });
const framesOf = (client: FakeClient, requestId = 1): Rows[] =>
  client.frames.flatMap(({ body }) =>
    body.case === 'rows' && body.value.requestId === requestId ? [body.value] : [],
  );
const keysOf = (client: FakeClient, requestId = 1): string[] =>
  framesOf(client, requestId).flatMap(({ rows }) => rows.map(({ key }) => key));
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

function bench100(workers = 3): { bench: TestBench; client: FakeClient } {
  const bench = new TestBench({ workers });
  const client = bench.client();
  write(client, ...Array.from({ length: 100 }, (_, i) => aged(`k${i}`, i % 10)), aged('gone', 3));
  write(client, remove('gone'), put('text', 'no json'));
  bench.settle();
  return { bench, client };
}

t.test(
  'QUERY-20: a query is answered with what matches, each record once, and their count',
  async (t) => {
    const { bench, client } = bench100();
    ask(client, {});
    ask(client, { requestId: 2, where: ageOver(7) });
    ask(client, { requestId: 3, where: ageOver(7), countOnly: true });
    bench.settle();
    t.equal(new Set(keysOf(client)).size, 101);
    t.equal(keysOf(client).length, 101);
    t.match(framesOf(client).at(-1), { isDone: true, count: 101n, refusal: 0 });
    t.equal(framesOf(client).filter(({ isDone }) => isDone).length, 1);
    t.ok(keysOf(client, 2).every((key) => /[89]$/.test(key)));
    t.match(framesOf(client, 2).at(-1), { isDone: true, count: 20n });
    t.match(framesOf(client, 3), [{ isDone: true, count: 20n, rows: [] }]);
    const [row] = framesOf(client, 2).flatMap(({ rows }) => rows);
    t.match(row, { kind: EventKind.PUT, sequence: /^[1-9]/ });
  },
);

t.test('QUERY-21: with a limit rows come in order over all workers, ties by key', async (t) => {
  const { bench, client } = bench100();
  const expected = Array.from({ length: 100 }, (_, i) => `k${i}`);
  const byAge = (sign: number) =>
    [...expected].sort(
      (a, b) => sign * (Number(a.slice(-1)) - Number(b.slice(-1))) || (a < b ? -1 : 1),
    );
  ask(client, { orderBy: age, limit: 25, where: ageOver(-1) });
  ask(client, { requestId: 2, orderBy: age, limit: 25, descending: true, where: ageOver(-1) });
  ask(client, { requestId: 3, limit: 1000 });
  ask(client, { requestId: 4, limit: 3, descending: true });
  bench.settle();
  t.same(keysOf(client), byAge(1).slice(0, 25));
  t.match(framesOf(client).at(-1), { isDone: true, count: 100n });
  t.same(keysOf(client, 2), byAge(-1).slice(0, 25));
  t.same(keysOf(client, 3), [...expected, 'text'].sort());
  t.same(keysOf(client, 4), ['text', 'k99', 'k98']);
});

t.test(
  'QUERY-22: what cannot be asked is refused by a sentence, in the answer itself',
  async (t) => {
    const { bench, client } = bench100(1);
    const cases: [Asked, Code, RegExp][] = [
      [{ map: '' }, Code.INVALID, /map/],
      [{ limit: QUERY_ROWS_MAX + 1 }, Code.TOO_LARGE, /10000/],
      [{ orderBy: age }, Code.INVALID, /limit/],
      [{ descending: true }, Code.INVALID, /limit/],
      [{ countOnly: true, limit: 3 }, Code.INVALID, /count/],
      [{ countOnly: true, orderBy: age }, Code.INVALID, /count/],
      [{ where: {} }, Code.INVALID, /./],
      [{ orderBy: { recordField: 9 as RecordField }, limit: 1 }, Code.INVALID, /./],
    ];
    for (const [i, [query, code, detail]] of cases.entries()) {
      ask(client, { ...query, requestId: i + 10 });
      t.match(framesOf(client, i + 10), [{ isDone: true, refusal: code, detail, rows: [] }]);
    }
    t.equal(client.session.queries, undefined);
    t.equal(bench.gateway.querying, 0);
  },
);

t.test('QUERY-23: a map that nobody has written has no rows', async (t) => {
  const { client } = bench100(1);
  ask(client, { map: 'unknown' });
  t.match(framesOf(client), [{ isDone: true, count: 0n, refusal: 0, rows: [] }]);
});

t.test(
  'QUERY-24: too many at one time are OVERLOADED; one whose id is in use is told apart',
  async (t) => {
    const { bench, client } = bench100();
    for (let i = 1; i <= QUERIES_MAX + 1; i++) ask(client, { requestId: i });
    t.match(framesOf(client, QUERIES_MAX + 1), [
      { isDone: true, refusal: Code.OVERLOADED, retryAfterMs: /[1-9]/ },
    ]);
    ask(client, { requestId: 2, countOnly: true });
    t.match(client.last('error'), { code: Code.INVALID, detail: /query 2/ });
    bench.settle();
    for (let i = 1; i <= QUERIES_MAX; i++) t.equal(new Set(keysOf(client, i)).size, 101);
    ask(client, { requestId: 99 });
    bench.settle();
    t.match(framesOf(client, 99).at(-1), { isDone: true, count: 101n });
  },
);

t.test(
  'QUERY-25: a query that is cancelled ends at once, and no row of it comes after',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const client = bench.client();
    write(client, ...Array.from({ length: 60 }, (_, i) => aged(`k${i}`, i, 10_000)));
    bench.settle();
    ask(client, {});
    for (let turns = 0; keysOf(client).length === 0 && turns < 100; turns++) bench.turn();
    client.say({ case: 'cancelQuery', value: { requestId: 1 } });
    t.match(framesOf(client).at(-1), { isDone: true });
    const count = framesOf(client).length;
    bench.settle();
    t.equal(framesOf(client).length, count);
    t.equal(bench.gateway.querying, 0);
    client.say({ case: 'cancelQuery', value: { requestId: 1 } });
    t.equal(framesOf(client).length, count, 'one that has ended is unknown, which is fine');
  },
);

t.test('QUERY-26: rows go no faster than they are read, ordered or not', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const client = bench.client();
  write(client, ...Array.from({ length: 150 }, (_, i) => aged(`k${i}`, i, 10_000)));
  bench.settle();
  client.isStalled = true;
  ask(client, {});
  ask(client, { requestId: 2, orderBy: age, limit: 150 });
  ask(client, { requestId: 3 });
  bench.settle();
  t.ok(client.buffered < SESSION_SOFT_BYTES);
  for (let reads = 0; bench.gateway.querying > 0; reads++) {
    if (reads > 1000) throw new Error('the answers do not end');
    client.read(10_000);
    bench.settle();
    t.ok(client.buffered < SESSION_SOFT_BYTES);
  }
  client.read();
  for (const id of [1, 2, 3]) t.equal(new Set(keysOf(client, id)).size, 150);
  t.same(
    keysOf(client, 2),
    Array.from({ length: 150 }, (_, i) => `k${i}`),
  );
});

t.test(
  'QUERY-27: a worker that dies before rows were sent is asked anew, else it is said',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const client = bench.client();
    write(client, ...Array.from({ length: 60 }, (_, i) => aged(`k${i}`, i, 10_000)));
    bench.settle();
    for (const [i, query] of [{}, { orderBy: age, limit: 60 }].entries()) {
      const [early, late] = [10 * i + 1, 10 * i + 2];
      ask(client, { requestId: early, ...query });
      bench.gateway.doWork();
      for (const worker of [0, 1]) bench.startWorker(worker);
      bench.settle();
      t.equal(new Set(keysOf(client, early)).size, 60);
      t.equal(keysOf(client, early).length, 60);
      ask(client, { requestId: late, ...query });
      for (let turns = 0; keysOf(client, late).length === 0 && turns < 1000; turns++) bench.turn();
      for (const worker of [0, 1]) bench.startWorker(worker);
      bench.settle();
      t.match(framesOf(client, late).at(-1), {
        isDone: true,
        refusal: Code.UNAVAILABLE,
        detail: /died/,
        retryAfterMs: /[1-9]/,
      });
      t.equal(framesOf(client, late).filter(({ isDone }) => isDone).length, 1);
    }
    t.equal(bench.gateway.querying, 0);
  },
);

t.test('QUERY-28: a draining server refuses queries', async (t) => {
  const { bench, client } = bench100(1);
  bench.gateway.drain();
  ask(client, {});
  t.match(framesOf(client), [{ isDone: true, refusal: Code.UNAVAILABLE }]);
});

t.test('QUERY-29: rows are merged as far as every worker has said its next', async (t) => {
  const row = (sortKey: string, key: string): Row => ({
    sortKey: bytes(sortKey),
    key: bytes(key),
    event: bytes(key),
  });
  const taken = (merge: RowMerge): string[] => {
    const keys: string[] = [];
    for (let next = merge.take(); next !== undefined; next = merge.take())
      keys.push(Buffer.from(next.key).toString());
    return keys;
  };
  const merge = new RowMerge(3, false);
  merge.add(0, [row('b', 'b1'), row('d', 'd1')], false);
  merge.add(1, [row('a', 'a1'), row('b', 'b0')], true);
  t.same(taken(merge), [], 'the third has not said');
  merge.add(2, [], true);
  t.same(taken(merge), ['a1', 'b0', 'b1', 'd1']);
  t.ok(merge.isSpent(0));
  merge.add(0, [row('e', 'e1')], true);
  t.same(taken(merge), ['e1']);
  const descending = new RowMerge(2, true);
  descending.add(0, [row('b', 'x'), row('a', 'y')], true);
  descending.add(1, [row('ba', 'z'), row('b', 'w')], true);
  t.same(taken(descending), ['z', 'w', 'x', 'y']);
});
