import fc from 'fast-check';
import t from 'tap';
import { fieldReader } from '#lib/query/field-reader.js';
import { NOT_JSON } from '#lib/query/predicate.js';
import { sortKeyOf } from '#lib/query/sort-key.js';
import { anyValue, FULL } from './predicate-arbitraries.js';
import { compareCodePoints } from './predicate-oracle.js';
import { holds } from './property.js';

/** In order, all different. */
const ASCENDING: unknown[] = [
  undefined,
  null,
  false,
  true,
  -Infinity,
  -1.7976931348623157e308,
  -2,
  -1.5,
  -1,
  -5e-324,
  0,
  5e-324,
  1,
  1.5,
  2,
  9007199254740992,
  Infinity,
  '',
  '\u0000',
  'a',
  'a\u0000',
  'ab',
  'b',
  '\u07ff',
  '\u0800',
  '\ud7ff',
  '\ud83d',
  '\ude00',
  '\uffff',
  '\u{10000}',
  '\u{10ffff}',
  {},
];

function compareKeys(left: unknown, right: unknown): number {
  return Buffer.compare(sortKeyOf(left), sortKeyOf(right));
}

t.test('PRED-28: sort keys sort by type, then by value', async (t) => {
  for (const [i, left] of ASCENDING.entries())
    for (const [j, right] of ASCENDING.entries())
      if (compareKeys(left, right) !== Math.sign(i - j))
        t.fail(`${String(left)}, ${String(right)}`);
  t.equal(compareKeys(-0, 0), 0);
  t.equal(compareKeys([1], { a: 2 }), 0, 'objects and arrays have no order among them');
  t.equal(compareKeys(Number.NaN, {}), 0, 'what JSON cannot hold is other');
});

t.test('PRED-28: strings are UTF-8 behind their type', async (t) => {
  holds(
    t,
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const expected = Buffer.concat([Buffer.of(5), Buffer.from(text)]);
      return expected.equals(sortKeyOf(text));
    }),
  );
});

function rankOf(value: unknown): number {
  if (value === undefined || value === null) return value === null ? 1 : 0;
  if (typeof value === 'boolean') return value ? 3 : 2;
  return typeof value === 'number' ? 4 : typeof value === 'string' ? 5 : 6;
}

t.test('PRED-28: random values sort as they compare', async (t) => {
  const value = fc.oneof(anyValue(FULL), fc.double({ noNaN: true }), fc.string({ unit: 'binary' }));
  holds(
    t,
    fc.property(value, value, (left, right) => {
      const ranks = rankOf(left) - rankOf(right);
      if (ranks !== 0) return compareKeys(left, right) === Math.sign(ranks);
      if (typeof left === 'number')
        return (
          compareKeys(left, right) ===
          Number(left > (right as number)) - Number(left < (right as number))
        );
      if (typeof left === 'string')
        return compareKeys(left, right) === Math.sign(compareCodePoints(left, right as string));
      return compareKeys(left, right) === 0;
    }),
    10_000,
  );
});

t.test('PRED-28: a field of a record that is no JSON is missing', async (t) => {
  const record = { key: 'k', stampMs: 5, value: NOT_JSON };
  t.equal(fieldReader({ kind: 'value', steps: [] })(record), undefined);
  t.equal(fieldReader({ kind: 'value', steps: ['a'] })(record), undefined);
  t.equal(fieldReader({ kind: 'value', steps: ['a', 0] })(record), undefined);
  t.equal(fieldReader({ kind: 'key' })(record), 'k');
  t.equal(fieldReader({ kind: 'stamp' })(record), 5);
});
