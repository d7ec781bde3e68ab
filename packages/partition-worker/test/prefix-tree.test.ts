import t from 'tap';
import { PrefixTree } from '#lib/query/prefix-tree.js';
import { IndexFixture } from './index-fixture.js';
import { randomFrom } from './store-fixture.js';

const SEED = Number(process.env['SEED'] ?? 1);
const LETTERS = ['a', 'b', 'ä', '\0', '😀', '😁', '\ud83d', '\uffff'];

function treeOf(prefixes: readonly string[]): { by(text: string): number[]; tree: PrefixTree } {
  const index = new IndexFixture(prefixes.length);
  const tree = new PrefixTree(index.chains);
  for (const [entry, prefix] of prefixes.entries()) tree.add(prefix, entry);
  return { tree, by: (text) => index.by((found) => tree.find(text, found)) };
}

t.test('INDEX-5: a text finds every prefix that it begins with', async (t) => {
  const { by } = treeOf(['', 'user:', 'user:1', 'user:12', 'use', 'x', 'user:1']);
  t.same(by('user:123'), [0, 1, 2, 3, 4, 6]);
  t.same(by('user:1'), [0, 1, 2, 4, 6]);
  t.same(by('us'), [0]);
  t.same(by(''), [0]);
  t.same(by('user;'), [0, 4]);
});

t.test('INDEX-5: characters of two code units that share the first one are parted', async (t) => {
  const { by } = treeOf(['😀', '😁', '😀😁', '']);
  t.same(by('😀!'), [0, 3]);
  t.same(by('😁'), [1, 3]);
  t.same(by('😀😁'), [0, 2, 3]);
  t.same(by('\ud83d'), [3], 'half a character');
});

t.test(`INDEX-5: a random tree finds what a list does, seed ${SEED}`, async (t) => {
  const random = randomFrom(SEED);
  const index = new IndexFixture(1 << 15);
  const tree = new PrefixTree(index.chains);
  const model = new Map<number, { prefix: string; link: number }>();
  const text = (letters: number): string =>
    Array.from({ length: random(letters) }, () => LETTERS[random(LETTERS.length)]).join('');
  let matches = 0;
  for (let step = 0; step < 20_000; step++) {
    const isGrowing = (step >> 10) % 2 === 0;
    if (random(100) < (isGrowing ? 70 : 30)) {
      const prefix = text(6);
      model.set(step, { prefix, link: tree.add(prefix, step) });
    } else
      for (const [entry, { prefix, link }] of model) {
        tree.remove(prefix, link);
        model.delete(entry);
        break;
      }
    const sought = text(9);
    const expected = [...model].filter(([, { prefix }]) => sought.startsWith(prefix));
    const found = index.by((found) => tree.find(sought, found));
    matches += found.length;
    if (found.join() !== expected.map(([entry]) => entry).join()) t.fail(`step ${step}`);
  }
  t.ok(matches > 20_000, 'it found something');
  for (const { prefix, link } of model.values()) tree.remove(prefix, link);
  t.ok(tree.isEmpty, 'nothing is left of what was removed');
});

t.test('INDEX-5: prefixes within prefixes, 8,000 deep, come and go', async (t) => {
  const prefixes = Array.from({ length: 8000 }, (_, length) => 'a'.repeat(length));
  const index = new IndexFixture(prefixes.length);
  const tree = new PrefixTree(index.chains);
  const links = prefixes.map((prefix, entry) => tree.add(prefix, entry));
  t.equal(index.by((found) => tree.find('a'.repeat(9000), found)).length, 8000);
  t.equal(index.by((found) => tree.find('aab', found)).length, 3);
  for (const [entry, prefix] of prefixes.entries()) tree.remove(prefix, links[entry]);
  t.ok(tree.isEmpty);
});
