import {
  accessPlanOf,
  canonicalPredicate,
  type Field,
  type Literal,
  NOT_JSON,
  type Predicate,
  type QueriedRecord,
} from '@tidewire/core';
import t from 'tap';
import { isFoundExactly } from '#lib/query/exact-access.js';
import { PredicateIndex } from '#lib/query/predicate-index.js';
import { watched } from './index-fixture.js';

const MANY = 100_000;
const KEY: Field = { kind: 'key' };
const STAMP: Field = { kind: 'stamp' };

const path = (...steps: (string | number)[]): Field => ({ kind: 'value', steps });
const eq = (field: Field, literal: Literal): Predicate => ({ kind: 'eq', field, literal });
const gt = (field: Field, literal: Literal): Predicate => ({ kind: 'gt', field, literal });
const lt = (field: Field, literal: Literal): Predicate => ({ kind: 'lt', field, literal });
const prefix = (field: Field, text: string): Predicate => ({ kind: 'prefix', field, text });
const contains = (field: Field, literal: Literal): Predicate => ({
  kind: 'contains',
  field,
  literal,
});
const between = (field: Field, low: Literal, high: Literal): Predicate => ({
  kind: 'between',
  field,
  low,
  high,
});
const not = (predicate: Predicate): Predicate => ({ kind: 'not', predicate });
const all = (...predicates: Predicate[]): Predicate => ({ kind: 'all', predicates });
const any = (...predicates: Predicate[]): Predicate => ({ kind: 'any', predicates });

const record = (value: unknown, key = 'k', stampMs = 1): QueriedRecord => ({
  key,
  stampMs,
  value,
});

function indexOf(predicates: readonly Predicate[]): PredicateIndex {
  const index = new PredicateIndex();
  for (const [topic, predicate] of predicates.entries())
    index.add(topic, canonicalPredicate(predicate));
  return index;
}

/** What the last change is to whom: topics entered, updated, left. */
function outcome({ entered, updated, left }: PredicateIndex): number[][] {
  return [entered, updated, left].map(({ topics, count }) =>
    [...topics.subarray(0, count)].sort((one, other) => one - other),
  );
}

t.test(
  'INDEX-10: a change is told to those whose predicate held before it or holds now',
  async (t) => {
    const age = path('age');
    const index = indexOf([
      gt(age, 18),
      lt(age, 18),
      eq(age, 18),
      between(age, 10, 30),
      not(eq(age, 18)),
    ]);
    const match = (before: QueriedRecord | undefined, after: QueriedRecord | undefined) => {
      const concerned = index.match(before, after);
      return [concerned, outcome(index)];
    };
    const [young, grown] = [record({ age: 17 }), record({ age: 18 })];
    t.same(match(undefined, young), [3, [[1, 3, 4], [], []]], 'a new record');
    t.same(match(young, grown), [4, [[2], [3], [1, 4]]], 'a changed one');
    t.same(match(grown, undefined), [2, [[], [], [2, 3]]], 'one that is gone');
    t.same(match(grown, record(NOT_JSON)), [2, [[], [], [2, 3]]], 'not JSON any more');
    t.same(match(record({}), record({ age: '18' })), [1, [[], [4], []]], 'missing, another type');
    t.same(match(undefined, undefined), [0, [[], [], []]]);
  },
);

t.test('INDEX-10: a predicate that several accesses lead to is told once', async (t) => {
  const [a, b, list] = [path('a'), path('b'), path('list')];
  const index = indexOf([
    any(eq(a, 1), gt(a, 0), eq(b, 1), prefix(KEY, 'k'), eq(STAMP, 1)),
    any(contains(list, 1), contains(list, 2)),
    { kind: 'in', field: a, literals: [1, 2, 3] },
  ]);
  index.match(record({ a: 1, b: 1, list: [1, 2, 1, 2] }), record({ a: 2, b: 1, list: [2, 2] }));
  t.same(outcome(index), [[], [0, 1, 2], []]);
  t.equal(index.counts.found, 3);
});

t.test('INDEX-10: key and stamp are fields, of records that are not JSON too', async (t) => {
  const index = indexOf([prefix(KEY, 'user:'), gt(STAMP, 5), eq(KEY, 'x'), eq(path(), 'text')]);
  index.match(record(NOT_JSON, 'user:1', 5), record(NOT_JSON, 'user:1', 6));
  t.same(outcome(index), [[1], [0], []]);
  index.match(undefined, record('text', 'x', 0));
  t.same(outcome(index), [[2, 3], [], []]);
});

t.test('INDEX-10: what was removed is told nothing, and adding twice is adding once', async (t) => {
  const index = indexOf([eq(path('a'), 1), gt(path('a'), 0), all(), any()]);
  index.add(0, eq(path('a'), 2));
  index.match(undefined, record({ a: 1 }));
  t.same(outcome(index), [[0, 1, 2], [], []]);
  for (const topic of [0, 2, 7, 7]) index.remove(topic);
  index.match(undefined, record({ a: 1 }));
  t.same(outcome(index), [[1], [], []]);
  t.equal(index.size, 2);
});

t.test('INDEX-11: what is tried follows what matches, not what is registered', async (t) => {
  const place = path('place');
  const shapes: [string, (i: number) => Predicate][] = [
    ['equality', (i) => eq(path('id'), i)],
    ['ranges', (i) => between(path('id'), i, i + 3)],
    ['open ranges', (i) => gt(path('id'), i)],
    ['ranges of text', (i) => between(path('name'), `n${i}`, `n${i}~`)],
    ['prefixes', (i) => prefix(KEY, `user:${i}:`)],
    ['elements', (i) => contains(path('tags'), `t${i}`)],
    ['paths', (i) => eq(path('ids', `m${i}`), 1)],
    ['groups', (i) => all(eq(path('id'), i), eq(place, 'here'))],
  ];
  const value = { id: 3, name: 'n3', tags: ['t3', 't4'], ids: { m3: 1 }, place: 'here' };
  const [before, after] = [record({ ...value, id: 2 }), record(value, 'user:3:x')];
  for (const [name, predicateOf] of shapes) {
    const [few, many] = [10, 10_000].map((count) => {
      const index = indexOf(Array.from({ length: count }, (_, i) => predicateOf(i)));
      index.match(before, after);
      return { concerned: outcome(index), tried: index.counts.found };
    });
    t.same(many, few, `${name}: ${many.tried} of 10,000 tried`);
    t.ok(few.tried >= 1 && few.tried <= 5, `${name}: ${few.tried} of 10 tried`);
  }
});

t.test('INDEX-11: a field is read once, however many ask for it', async (t) => {
  let reads = 0;
  const handler: ProxyHandler<object> = {
    get: (target, name) => {
      reads++;
      return Reflect.get(target, name);
    },
  };
  const index = indexOf(
    Array.from({ length: 1000 }, (_, i) => (i % 2 === 0 ? gt(path('a'), i) : eq(path('a'), i))),
  );
  index.match(undefined, record(new Proxy({ a: 5.5, b: 1 }, handler)));
  t.same(outcome(index), [[0, 2, 4], [], []]);
  t.equal(reads, 1);
});

t.test('INDEX-12: what the accesses say wholly is not tried, all else is', async (t) => {
  const [a, b] = [path('a'), path('b')];
  const exactly = (predicate: Predicate): boolean => {
    const canonical = canonicalPredicate(predicate);
    return isFoundExactly(canonical, accessPlanOf(canonical));
  };
  const exact = [
    eq(a, 1),
    gt(a, 1),
    between(a, 'x', 'y'),
    prefix(KEY, 'x'),
    contains(a, 1),
    any(eq(a, 1), gt(b, 1), any(prefix(b, 'x'), contains(a, 2))),
    all(gt(a, 1), lt(a, 9)),
    any(),
  ];
  const tried = [
    prefix(a, ''),
    { kind: 'like', field: a, text: 'x%y' } as const,
    all(eq(a, 1), eq(b, 1)),
    all(gt(a, 1), lt(b, 9)),
    all(gt(a, 1), lt(a, 'x')),
    all(gt(a, 1), eq(a, 2)),
    any(eq(a, 1), all(eq(a, 2), eq(b, 1))),
    not(eq(a, 1)),
    { kind: 'ne', field: a, literal: 1 } as const,
    { kind: 'exists', field: a } as const,
    all(),
  ];
  for (const predicate of exact) t.ok(exactly(predicate), JSON.stringify(predicate));
  for (const predicate of tried) t.notOk(exactly(predicate), JSON.stringify(predicate));
});

t.test('INDEX-13: predicates are counted by what finds them, and what they cost', async (t) => {
  const a = path('a');
  const predicates = [eq(a, 1), contains(a, 1), gt(a, 1), prefix(a, 'x'), not(eq(a, 1)), any()];
  const index = indexOf([...predicates, all(gt(a, 1), eq(path('b'), 1))]);
  const kinds = { equal: 3, range: 1, prefix: 1, linear: 1 };
  t.same(index.counts, { ...kinds, found: 0, concerned: 0 });
  index.match(undefined, record({ a: 2, b: 1 })); // gt, not and all: all three hold
  index.match(undefined, record({ a: 1, b: 1 })); // eq holds; not and all do not
  t.same(index.counts, { ...kinds, found: 6, concerned: 4 });
  for (let topic = 0; topic < 7; topic++) index.remove(topic);
  t.same(index.counts, { equal: 0, range: 0, prefix: 0, linear: 0, found: 6, concerned: 4 });
});

t.test('INDEX-14: the arrays of topics serve every change', async (t) => {
  const index = indexOf(Array.from({ length: 1000 }, (_, i) => gt(path('a'), i)));
  index.match(undefined, record({ a: 1000 }));
  t.equal(index.entered.count, 1000);
  const { topics } = index.entered;
  index.match(record({ a: 1000 }), record({ a: 500 }));
  t.same([index.entered.count, index.updated.count, index.left.count], [0, 500, 500]);
  index.match(undefined, record({ a: 1000 }));
  t.equal(index.entered.topics, topics);
});

t.test('INDEX-14: paths that nobody asks for any more are not looked at', async (t) => {
  const index = indexOf([gt(path('a'), 1), gt(path('a', 'b'), 1), eq(path('c'), 1)]);
  const { value, looks } = watched({ a: 1, c: 2 });
  for (const topic of [0, 1]) index.remove(topic);
  index.match(undefined, record(value));
  t.same([...looks], ['c']);
});

t.test('INDEX-14: 100,000 predicates come and go, many times over', async (t) => {
  const index = new PredicateIndex();
  const predicateOf = (i: number): Predicate =>
    i % 3 === 0 ? eq(path('a'), i) : i % 3 === 1 ? gt(path('a'), i) : prefix(KEY, `${i}`);
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < MANY; i++) index.add(i, predicateOf(i));
    index.match(undefined, record({ a: 3 }, '5'));
    t.same(outcome(index), [[1, 3, 5], [], []]);
    for (let i = MANY - 1; i >= 0; i--) index.remove(round === 1 ? MANY - 1 - i : i);
    t.equal(index.size, 0);
    t.equal(index.match(undefined, record({ a: 3 }, '5')), 0);
  }
});
