import { NOT_JSON } from '@tidewire/core';
import t from 'tap';
import { AFTER, BEFORE, BOTH } from '#lib/query/candidates.js';
import { PathTree } from '#lib/query/path-tree.js';
import { IndexFixture, watched } from './index-fixture.js';

type Step = string | number;

/** A tree with one entry for each path, which asks that 1 stands there. */
function treeOf(paths: readonly (readonly Step[])[]): {
  tree: PathTree;
  by(before: unknown, after: unknown): number[];
  sidesOf(before: unknown, after: unknown): number[];
} {
  const index = new IndexFixture(paths.length);
  const tree = new PathTree(index.chains);
  for (const [entry, steps] of paths.entries())
    tree.claim(steps).add({ kind: 'equal', field: { kind: 'value', steps }, literals: [1] }, entry);
  return {
    tree,
    by: (before, after) => index.by((found) => tree.find(before, after, found)),
    sidesOf(before, after) {
      tree.find(before, after, index.found);
      const sides = paths.map((_, entry) => index.found.takeSides(entry));
      index.take();
      return sides;
    },
  };
}

t.test('INDEX-8: a path leads to members and elements, its own only', async (t) => {
  const { by } = treeOf([[], ['a'], ['a', 'b'], ['a', 0], ['a', '0'], ['length'], ['a', 'length']]);
  t.same(by(undefined, 1), [0]);
  t.same(by(undefined, { a: 1 }), [1]);
  t.same(by(undefined, { a: { b: 1 } }), [2]);
  t.same(by(undefined, { a: [1] }), [3]);
  t.same(by(undefined, { a: { 0: 1 } }), [4]);
  t.same(by(undefined, [0]), [], 'the length of an array is no member of it');
  t.same(by(undefined, 'x'), []);
  t.same(by(NOT_JSON, NOT_JSON), []);
  t.same(by({ a: null }, undefined), []);
});

t.test('INDEX-8: what is inherited is not found', async (t) => {
  const paths = [['constructor'], ['__proto__', 'x'], ['constructor', 'length'], ['toString']];
  const { by } = treeOf(paths);
  t.same(by(undefined, {}), [], 'Object.length is 1, and not of the value');
  t.same(by(undefined, JSON.parse('{"__proto__":{"x":1},"constructor":1}')), [0, 1]);
});

t.test('INDEX-8: each side is looked up by its own values', async (t) => {
  const { sidesOf } = treeOf([['a'], ['b'], ['c'], ['d']]);
  t.same(sidesOf({ a: 1, b: 1, c: 2 }, { a: 1, c: 1 }), [BOTH, BEFORE, AFTER, 0]);
  t.same(sidesOf(undefined, { a: 1 }), [AFTER, 0, 0, 0]);
});

t.test('INDEX-8: where very many paths part, the members of the value are looked up', async (t) => {
  const count = 10_000;
  const names = Array.from({ length: count }, (_, i) => ['deep', `m${i}`]);
  const places = Array.from({ length: count }, (_, i) => ['list', i]);
  const { sidesOf } = treeOf([...names, ...places]);
  const sides = sidesOf(
    { deep: { m5: 1, m7: 1, x: 1 }, list: [1, 0, 1] },
    { deep: { m5: 1, m9: 1, constructor: 1 }, list: [0, 0, 1, 1] },
  );
  const expected = { 5: BOTH, 7: BEFORE, 9: AFTER, 10000: BEFORE, 10002: BOTH, 10003: AFTER };
  t.same({ ...Object.fromEntries(Object.entries(sides).filter(([, side]) => side > 0)) }, expected);
});

t.test(
  'INDEX-8: where very many paths part, what the value has not is not looked at',
  async (t) => {
    const { by } = treeOf(Array.from({ length: 1000 }, (_, i) => [`m${i}`]));
    const { value, looks } = watched({ m3: 1, m500: 0, m999: 1 });
    t.same(by(undefined, value), [3, 999]);
    t.same([...looks], ['m3', 'm500', 'm999']);
  },
);

t.test('INDEX-8: a place that no access needs is dropped, others stay', async (t) => {
  const paths = [['a'], ['a', 'b', 'c'], ['a', 'd'], ['e']];
  const { tree, by } = treeOf(paths);
  const value = { a: { b: { c: 1 }, d: 1 }, e: 1 };
  const drop = (steps: string[]): void => {
    const fields = tree.claim(steps);
    fields.size = 0;
    tree.release(steps);
  };
  t.same(by(undefined, value), [1, 2, 3]);
  drop(['a']);
  t.same(by(undefined, value), [1, 2, 3]);
  drop(['a', 'b', 'c']);
  t.same(by(undefined, value), [2, 3]);
  drop(['a', 'd']);
  t.same(by(undefined, value), [3]);
});
