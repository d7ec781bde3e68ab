import { compareText } from '@tidewire/core';
import t from 'tap';
import { type Interval, NumberIntervals } from '#lib/query/number-intervals.js';
import { TextIntervals } from '#lib/query/text-intervals.js';
import { IndexFixture } from './index-fixture.js';
import { randomFrom } from './store-fixture.js';

const SEED = Number(process.env['SEED'] ?? 1);
const MANY = 100_000;
/** An AVL tree of n nodes is lower than this. */
const heightMax = (nodes: number): number => 1.4405 * Math.log2(nodes + 2);

/** Says how many nodes a lookup comes to. */
class CountedIntervals extends NumberIntervals {
  looks = 0;

  protected override allEndBefore(node: number): boolean {
    this.looks++;
    return super.allEndBefore(node);
  }
}

function between<T>(low: T, high: T): Interval<T> {
  return { low, lowInclusive: true, high, highInclusive: true };
}

function above(low: number): Interval<number> {
  return { low, lowInclusive: false, high: undefined, highInclusive: false };
}

function holds<T>(interval: Interval<T>, value: T, compare: (a: T, b: T) => number): boolean {
  const { low, lowInclusive, high, highInclusive } = interval;
  if (low !== undefined && compare(value, low) < (lowInclusive ? 0 : 1)) return false;
  return high === undefined || compare(value, high) <= (highInclusive ? 0 : -1);
}

interface Tree<T> {
  readonly height: number;
  readonly isEmpty: boolean;
  add(interval: Interval<T>, entry: number): number;
  remove(interval: Interval<T>, link: number): void;
  find(value: T, found: IndexFixture['found']): void;
}

interface Run<T> {
  readonly random: (below: number) => number;
  readonly pick: () => T;
  readonly compare: (left: T, right: T) => number;
  readonly steps: number;
}

function randomInterval<T>({ random, pick }: Run<T>): Interval<T> {
  const ends = random(4);
  return {
    low: ends === 0 ? undefined : pick(),
    lowInclusive: random(2) === 0,
    high: ends === 1 ? undefined : pick(),
    highInclusive: random(2) === 0,
  };
}

/** Adds and removes at random beside a list; returns the first step that differs, or what it found. */
function runBesideList<T>(index: IndexFixture, tree: Tree<T>, run: Run<T>): string | number {
  const { random, pick, compare, steps } = run;
  const list: { entry: number; interval: Interval<T>; link: number }[] = [];
  let matches = 0;
  for (let step = 0; step < steps; step++) {
    if (list.length === 0 || random(100) < ((step >> 9) % 2 === 0 ? 75 : 25)) {
      const interval = randomInterval(run);
      list.push({ entry: step, interval, link: tree.add(interval, step) });
    } else {
      const [gone] = list.splice(random(list.length), 1);
      tree.remove(gone.interval, gone.link);
    }
    if (tree.height > heightMax(list.length)) return `step ${step}: too high`;
    const value = pick();
    const expected = list.filter(({ interval }) => holds(interval, value, compare));
    const found = index.by((found) => tree.find(value, found));
    if (found.join() !== expected.map(({ entry }) => entry).join()) return `step ${step}: ${value}`;
    matches += found.length;
  }
  for (const { interval, link } of list) tree.remove(interval, link);
  return tree.isEmpty ? matches : 'something is left of what was removed';
}

const order = (left: number, right: number): number => (left < right ? -1 : left > right ? 1 : 0);
const SPECIAL = [
  0,
  -0,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  1,
  1 + Number.EPSILON,
  Number.MAX_VALUE,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
];

for (const [name, values] of [
  ['of few values', 12],
  ['of many values', 1_000_000],
  ['with ends at the edges', 0],
] as const)
  t.test(`INDEX-6: intervals of numbers ${name} find what a list does, seed ${SEED}`, async (t) => {
    const random = randomFrom(SEED);
    const pick = (): number =>
      values === 0 ? SPECIAL[random(SPECIAL.length)] : random(values) - values / 2;
    const index = new IndexFixture(1 << 14);
    const run = { random, pick, compare: order, steps: 10_000 };
    const outcome = runBesideList(index, new NumberIntervals(index.chains), run);
    t.ok(Number(outcome) > 10_000, `found ${outcome}`);
  });

const LETTERS = ['', 'a', 'b', '\0', '\uffff', '😀', '😁', '\ud83d'];

t.test(`INDEX-6: intervals of texts find what a list does, seed ${SEED}`, async (t) => {
  const random = randomFrom(SEED);
  const pick = (): string =>
    LETTERS[random(8)] + LETTERS[random(8)] + LETTERS[random(8)] + LETTERS[random(8)];
  const index = new IndexFixture(1 << 14);
  const tree = new TextIntervals(index.chains);
  const outcome = runBesideList(index, tree, { random, pick, compare: compareText, steps: 10_000 });
  t.ok(Number(outcome) > 10_000, `found ${outcome}`);
});

t.test('INDEX-6: NaN lies in no interval, and no interval holds it', async (t) => {
  const index = new IndexFixture(2);
  const tree = new NumberIntervals(index.chains);
  const interval = between(Number.NaN, Number.NaN);
  const link = tree.add(interval, 0);
  t.ok(tree.isEmpty);
  tree.add({ ...between(0, 0), low: undefined, high: 9 }, 1);
  t.same(
    index.by((found) => tree.find(Number.NaN, found)),
    [],
  );
  tree.remove(interval, link);
  t.same(
    index.by((found) => tree.find(3, found)),
    [1],
  );
});

t.test('INDEX-7: 100,000 intervals in ascending order stay a low tree, and go again', async (t) => {
  const index = new IndexFixture(MANY);
  const tree = new NumberIntervals(index.chains);
  const links = Array.from({ length: MANY }, (_, i) => tree.add(above(i), i));
  t.ok(tree.height <= heightMax(MANY), `height ${tree.height}`);
  for (let i = 0; i < MANY; i += 2) tree.remove(above(i), links[i]);
  t.ok(tree.height <= heightMax(MANY / 2), `height ${tree.height}`);
  t.same(
    index.by((found) => tree.find(8, found)),
    [1, 3, 5, 7],
  );
  for (let i = 1; i < MANY; i += 2) tree.remove(above(i), links[i]);
  t.ok(tree.isEmpty);
});

t.test('INDEX-7: 100,000 with the same ends are one node', async (t) => {
  const index = new IndexFixture(MANY);
  const tree = new NumberIntervals(index.chains);
  const links = Array.from({ length: MANY }, (_, i) => tree.add(above(18), i));
  t.equal(tree.height, 1);
  t.equal(index.by((found) => tree.find(19, found)).length, MANY);
  for (let i = 0; i < MANY; i++) tree.remove(above(18), links[i]);
  t.ok(tree.isEmpty);
});

t.test('INDEX-7: a lookup looks at what it finds and the way there, not at the rest', async (t) => {
  const shapes: [string, (i: number) => Interval<number>, number][] = [
    ['open at the high end', above, 4],
    ['short, side by side', (i) => between(i, i + 3), 50_000],
    ['one within the other', (i) => between(i, 2 * MANY - i), 3],
    ['short ones before one that is long', (i) => between(i, i === 0 ? 1e9 : i), 99_999],
    ['all behind', (i) => between(i + 1e6, i + 2e6), 5],
    ['all before', (i) => between(-i, -i / 2), 5],
  ];
  for (const [name, intervalOf, value] of shapes) {
    const index = new IndexFixture(MANY);
    const tree = new CountedIntervals(index.chains);
    for (let i = 0; i < MANY; i++) tree.add(intervalOf(i), i);
    const matches = index.by((found) => tree.find(value, found)).length;
    t.ok(matches <= 5, `${name}: ${matches} matches`);
    const bound = 2 * tree.height * (matches + 1);
    t.ok(tree.looks <= bound, `${name}: ${tree.looks} looks of ${bound}`);
  }
});
