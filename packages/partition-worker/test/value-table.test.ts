import t from 'tap';
import { ValueTable } from '#lib/query/value-table.js';
import { IndexFixture } from './index-fixture.js';

t.test('INDEX-3: a value finds those who ask for one of its type and equal to it', async (t) => {
  const index = new IndexFixture(10);
  const table = new ValueTable(index.chains);
  const literals = [1, '1', true, null, 0, '', false, 'null', 1];
  for (const [entry, literal] of literals.entries()) table.add(literal, entry);
  const by = (value: unknown): number[] => index.by((found) => table.find(value, found));
  t.same(by(1), [0, 8]);
  t.same(by('1'), [1]);
  t.same(by(true), [2]);
  t.same(by(null), [3]);
  t.same(by(0), [4]);
  t.same(by(-0), [4], '−0 equals 0');
  t.same(by(''), [5]);
  t.same(by(false), [6]);
  t.same(by(undefined), []);
  t.same(by([1]), []);
  t.same(by({}), []);
});

t.test('INDEX-3: NaN is asked for in vain', async (t) => {
  const index = new IndexFixture(1);
  const table = new ValueTable(index.chains);
  const link = table.add(Number.NaN, 0);
  t.same(
    index.by((found) => table.find(Number.NaN, found)),
    [],
  );
  table.remove(Number.NaN, link);
  t.equal(table.size, 0);
});

t.test('INDEX-3: 100,000 who ask for one value come and go', async (t) => {
  const count = 100_000;
  const index = new IndexFixture(count);
  const table = new ValueTable(index.chains);
  const links = Array.from({ length: count }, (_, entry) => table.add('open', entry));
  t.equal(table.size, 1);
  t.equal(index.by((found) => table.find('open', found)).length, count);
  for (let entry = 0; entry < count; entry++) if (entry !== 7) table.remove('open', links[entry]);
  t.same(
    index.by((found) => table.find('open', found)),
    [7],
  );
  table.remove('open', links[7]);
  t.equal(table.size, 0);
});
