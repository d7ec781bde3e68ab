import {
  type Field,
  type Predicate,
  QUERIES_BYTES_MAX,
  QUERY_BYTES_MAX,
  SLICE_BYTES,
  sortKeyOf,
} from '@tidewire/core';
import {
  QUERY_COUNT_ONLY,
  QUERY_DESCENDING,
  QUERY_ORDERED,
  STREAM_LAST,
  STREAM_OVERLOADED,
  STREAM_TOO_LARGE,
} from '@tidewire/core/threads';
import { EventKind, ValueKind } from '@tidewire/schemas';
import t from 'tap';
import type { RowsSaid, Said } from './said.js';
import { keysIn, StreamBench } from './stream-bench.js';
import { MAP_ID, START_MS } from './worker-fixture.js';

const STREAM = 4;
const KEYS = [3, 77, 270].flatMap((partition) => keysIn(partition, 200));
const PARTITION_KEYS = keysIn(5, 2000);
const N: Field = { kind: 'value', steps: ['n'] };
const isLarge: Predicate = { kind: 'ge', field: N, literal: 5 };
const hex = (value: unknown): string => Buffer.from(sortKeyOf(value)).toString('hex');

function rowsOf(said: readonly Said[]): RowsSaid[] {
  return said.filter((item) => item.kind === 'rows');
}

function keysOf(said: readonly RowsSaid[]): string[] {
  return said.flatMap(({ rows }) => rows.map(({ key }) => key));
}

/** A map with n = 0, 1, … 9 again and again, and some records that are in no answer. */
function filledBench(): StreamBench {
  const bench = new StreamBench();
  for (const [i, key] of KEYS.entries()) bench.put(key, JSON.stringify({ n: i % 10 }));
  bench.remove(KEYS[9]);
  bench.put(KEYS[8], '{"n":8}', { expiresAt: START_MS });
  bench.put(KEYS[7], '{"n":7}', { valueKind: ValueKind.BYTES });
  bench.put('elsewhere', '{"n":7}', { mapId: MAP_ID + 1 });
  bench.listen();
  return bench;
}

const MATCHING = KEYS.filter((_, i) => i % 10 >= 5 && ![7, 8, 9].includes(i));

t.test(
  'QUERY-1: a query is answered with every record that matches, once, and how many there are',
  async (t) => {
    const bench = filledBench();
    bench.query(STREAM, { where: isLarge });
    const said = rowsOf(bench.settle());
    t.same(keysOf(said).toSorted(), MATCHING.toSorted());
    t.ok(said.flatMap(({ rows }) => rows).every(({ kind }) => kind === EventKind.PUT));
    t.equal(said[0].rows[0].valueKind, ValueKind.JSON);
    t.same(
      said.map(({ flags }) => flags),
      [...Array(said.length - 1).fill(0), STREAM_LAST],
    );
    t.equal(said.at(-1)?.count, MATCHING.length);
    bench.query(STREAM + 1, {});
    const all = rowsOf(bench.settle());
    t.same(
      keysOf(all).toSorted(),
      KEYS.filter((_, i) => i !== 8 && i !== 9).toSorted(),
      'no predicate',
    );
  },
);

t.test('QUERY-2: a count is one record without rows', async (t) => {
  const bench = filledBench();
  bench.query(STREAM, { where: isLarge, flags: QUERY_COUNT_ONLY, credit: 1 });
  t.match(rowsOf(bench.settle()), [
    { flags: STREAM_LAST, count: MATCHING.length, bytes: 0, rows: [] },
  ]);
  bench.query(STREAM, { where: { kind: 'any', predicates: [] }, flags: QUERY_COUNT_ONLY });
  t.match(rowsOf(bench.settle()), [{ flags: STREAM_LAST, count: 0, rows: [] }]);
});

t.test(
  'QUERY-3: sorted rows are the first of their order, ties by key, each with its sort key',
  async (t) => {
    const bench = filledBench();
    for (const [flags, sign] of [
      [QUERY_ORDERED, 1],
      [QUERY_ORDERED | QUERY_DESCENDING, -1],
    ]) {
      bench.query(STREAM, { where: isLarge, orderBy: N, limit: 100, flags });
      const said = rowsOf(bench.settle());
      const n = (key: string): number => KEYS.indexOf(key) % 10;
      const wanted = MATCHING.toSorted(
        (left, right) => sign * (n(left) - n(right)) || (left < right ? -1 : 1),
      ).slice(0, 100);
      t.same(keysOf(said), wanted);
      t.same(
        said.flatMap(({ sortKeys }) => sortKeys),
        wanted.map((key) => hex(n(key))),
      );
      t.match(said.at(-1), { flags: STREAM_LAST, count: MATCHING.length }, 'whatever the limit');
      for (const { bytes, eventBytes } of said)
        t.equal(
          eventBytes.reduce((sum, length) => sum + length, 0),
          bytes,
        );
    }
  },
);

t.test('QUERY-4: a limit without an order takes the first keys', async (t) => {
  const bench = filledBench();
  bench.query(STREAM, { where: isLarge, limit: 7, flags: QUERY_ORDERED });
  const said = rowsOf(bench.settle());
  const wanted = MATCHING.toSorted().slice(0, 7);
  t.same(keysOf(said), wanted);
  t.same(said[0].sortKeys, wanted.map(hex));
});

t.test('QUERY-5: records without the field to order by come first', async (t) => {
  const bench = new StreamBench();
  const [none, text, large, small] = KEYS;
  bench.put(text, '{"n":"a"}');
  bench.put(large, '{"n":12}');
  bench.put(small, '{"n":9}');
  bench.put(none, '{}');
  bench.query(STREAM, { orderBy: N, limit: 10, flags: QUERY_ORDERED });
  t.same(keysOf(rowsOf(bench.settle())), [none, small, large, text]);
});

t.test('QUERY-6: sorted rows larger than a query may hold end it', async (t) => {
  const bench = new StreamBench(undefined, 64 * 1024 * 1024);
  const value = JSON.stringify({ n: 1, filling: 'x'.repeat(32_000) });
  const most = Math.floor(QUERY_BYTES_MAX / value.length);
  for (const key of PARTITION_KEYS.slice(0, most + 1)) {
    bench.put(key, value);
    bench.listen();
  }
  bench.query(STREAM, { orderBy: N, limit: most + 1, flags: QUERY_ORDERED });
  t.match(rowsOf(bench.settle()), [{ flags: STREAM_TOO_LARGE, rows: [] }]);
  t.notOk(bench.streams.hasWork());
  bench.query(STREAM, { orderBy: N, limit: most >> 1, flags: QUERY_ORDERED, credit: 1 << 24 });
  const said = rowsOf(bench.settle());
  t.equal(keysOf(said).length, most >> 1, 'what is not among the first is not held');
  t.equal(said.at(-1)?.count, most + 1);
});

t.test(
  'QUERY-7: an answer has each record once, whatever becomes of the index meanwhile',
  async (t) => {
    const standing = PARTITION_KEYS.slice(0, 820);
    for (const flags of [0, QUERY_COUNT_ONLY, QUERY_ORDERED])
      for (let steps = 1; steps < 4; steps++) {
        const bench = new StreamBench();
        for (const key of standing) bench.put(key, '{"n":9}');
        bench.query(STREAM, { where: isLarge, limit: 10_000, flags });
        for (let i = 0; i < steps; i++) bench.streams.doWork();
        const said = rowsOf(bench.listen());
        for (const key of PARTITION_KEYS.slice(820, 1900)) bench.put(key, '{"n":1}'); // splits it twice
        for (const key of standing.slice(0, 400)) bench.put(key, '{"n":8}');
        bench.listen();
        said.push(...rowsOf(bench.settle()));
        t.equal(said.at(-1)?.count, 820);
        if (flags !== QUERY_COUNT_ONLY) t.same(keysOf(said).toSorted(), standing.toSorted());
      }
  },
);

t.test('QUERY-8: rows come on credit and in records of SLICE_BYTES', async (t) => {
  for (const flags of [0, QUERY_ORDERED]) {
    const bench = new StreamBench();
    for (const key of KEYS) bench.put(key, JSON.stringify({ n: 9, filling: 'x'.repeat(200) }));
    bench.listen();
    bench.query(STREAM, { limit: 1000, flags, credit: 40_000 });
    const said = rowsOf(bench.settle());
    const bytes = said.reduce((sum, rows) => sum + rows.bytes, 0);
    t.ok(bytes >= 40_000 && bytes < 40_300, `${bytes} bytes on a credit of 40,000`);
    t.ok(said.every((rows) => rows.bytes <= SLICE_BYTES));
    bench.streams.addCredit(STREAM, 1 << 20);
    t.same(keysOf([...said, ...rowsOf(bench.settle())]).toSorted(), KEYS.toSorted());
  }
});

t.test('QUERY-9: a cancelled query sends no more', async (t) => {
  const bench = filledBench();
  bench.query(STREAM, {});
  bench.streams.doWork();
  bench.streams.cancel(STREAM);
  t.equal(bench.streams.doWork(), 0);
});

/** Records that a sorted query may hold, nearly, and a bench that has them. */
function largeBench(): { bench: StreamBench; limit: number } {
  const bench = new StreamBench(undefined, 64 * 1024 * 1024);
  const value = JSON.stringify({ n: 1, filling: 'x'.repeat(32_000) });
  const limit = Math.floor((QUERY_BYTES_MAX * 0.9) / value.length);
  for (const key of PARTITION_KEYS.slice(0, limit)) {
    bench.put(key, value);
    bench.listen();
  }
  return { bench, limit };
}

/** Sorted queries that nobody reads any further than `credit`: how many hold their rows. */
const HOLDING = Math.floor(QUERIES_BYTES_MAX / (QUERY_BYTES_MAX * 0.9));

t.test('QUERY-11: sorted rows that queries hold together have a limit', async (t) => {
  const { bench, limit } = largeBench();
  const ask = (stream: number): RowsSaid[] => {
    bench.query(stream, { orderBy: N, limit, flags: QUERY_ORDERED, credit: 1 });
    return rowsOf(bench.settle());
  };
  for (let stream = 1; stream <= HOLDING; stream++)
    t.match(ask(stream), [{ stream, flags: 0 }], 'its first row, and no credit for more');
  const flags = STREAM_TOO_LARGE | STREAM_OVERLOADED;
  t.match(ask(100), [{ stream: 100, flags, rows: [] }], 'one too many ends');
  t.match(ask(101), [{ stream: 101, flags, rows: [] }], 'the next too');
  bench.streams.cancel(1);
  t.match(ask(102), [{ stream: 102, flags: 0 }], 'what is cancelled holds nothing');
});

t.test('QUERY-12: rows are held until they are sent, no longer', async (t) => {
  const { bench, limit } = largeBench();
  const ask = (stream: number): RowsSaid[] => {
    bench.query(stream, { orderBy: N, limit, flags: QUERY_ORDERED, credit: 1 });
    return rowsOf(bench.settle());
  };
  for (let stream = 1; stream <= HOLDING; stream++) ask(stream);
  bench.streams.addCredit(1, QUERY_BYTES_MAX / 2);
  bench.settle();
  bench.streams.addCredit(2, QUERY_BYTES_MAX / 2);
  bench.settle();
  t.match(ask(100), [{ stream: 100, flags: 0 }], 'two that were half sent leave room for one');
});
