import fc from 'fast-check';
import t, { type Test } from 'tap';
import { compilePredicate } from '#lib/query/evaluate.js';
import { NOT_JSON, type Predicate, type QueriedRecord } from '#lib/query/predicate.js';
import { parsePredicate } from '#lib/query/predicate-text.js';
import { compareText } from '#lib/query/text-order.js';
import { anyPredicate, anyRecord, FULL } from './predicate-arbitraries.js';
import { compareCodePoints, matches } from './predicate-oracle.js';
import { holds } from './property.js';

const RECORD: QueriedRecord = {
  key: 'user:1',
  stampMs: 1000,
  value: JSON.parse(`{
    "age": 30, "name": "Zoé", "isActive": true, "nothing": null, "zero": -0, "huge": 1e400,
    "tags": ["x", 1, null, true, ["y"], {"z": 1}], "address": {"city": "Köln"}, "empty": "",
    "__proto__": {"own": 1}
  }`),
};

/** One row: a test, and whether it holds for RECORD. */
type Row = readonly [text: string, holds: boolean];

function checkRows(t: Test, rows: readonly Row[], record = RECORD): void {
  for (const [text, expected] of rows) {
    t.equal(compilePredicate(parsePredicate(text))(record), expected, text);
    const isValueTest = !text.includes('$key') && !text.includes('$stamp');
    const negated = isValueTest && record.value === NOT_JSON ? false : !expected;
    t.equal(compilePredicate(parsePredicate(`not (${text})`))(record), negated, `not (${text})`);
  }
}

t.test('PRED-1: a comparison holds for the same type only, ne included', async (t) => {
  checkRows(t, [
    ['age = 30', true],
    ["age = '30'", false],
    ['age != 31', true],
    ["age != '30'", false],
    ['age != null', false],
    ['age != true', false],
    ["age != 'x'", false],
    ['age > 29', true],
    ['age > 30', false],
    ['age >= 30', true],
    ["age > ''", false],
    ['age between 30 and 40', true],
    ['age between 20 and 30', true],
    ['age between 40 and 30', false],
    ["name between 'A' and 'Zp'", true],
    ["name between 'Zp' and 'Zz'", false],
    ['name > 0', false],
    ['isActive = true', true],
    ['isActive != false', true],
    ['isActive != true', false],
    ['isActive = 1', false],
    ['nothing = null', true],
    ['nothing != null', false],
    ['nothing = 0', false],
    ['address = null', false],
    ['age in (1, 30)', true],
    ["age in ('30', null)", false],
    ['nothing in (1, null)', true],
    ['age in ()', false],
    ["name prefix 'Zo'", true],
    ["name prefix ''", true],
    ["age prefix ''", false],
    ['exists nothing', true],
    ['exists age', true],
  ]);
});

t.test('PRED-2: with a missing field every test is false, and its not is true', async (t) => {
  checkRows(t, [
    ['missing = 1', false],
    ['missing != 1', false],
    ['missing = null', false],
    ['missing < 1', false],
    ['missing in (null)', false],
    ["missing prefix ''", false],
    ["missing like '%'", false],
    ['missing contains null', false],
    ['exists missing', false],
    ['exists address.street', false],
  ]);
});

t.test('PRED-3: a value that is no JSON passes no test of it, and no not of one', async (t) => {
  const opaque = { ...RECORD, value: NOT_JSON };
  checkRows(
    t,
    [
      ['age = 30', false],
      ['exists age', false],
      ['exists $value', false],
      ['age in ()', false],
      ['exists age and exists name', false],
      ['exists age or exists name', false],
      ["$key = 'user:1'", true],
      ["$key prefix 'x'", false],
      ['$stamp between 1000 and 2000', true],
      ['exists $stamp', true],
    ],
    opaque,
  );
  const holdsFor = (text: string) => compilePredicate(parsePredicate(text))(opaque);
  t.equal(holdsFor("exists age or $key = 'user:1'"), true, 'another test may decide');
  t.equal(holdsFor("not (exists age and $key = 'x')"), true, 'also negated');
  t.equal(holdsFor("not (exists age and $key = 'user:1')"), false);
  t.equal(holdsFor('not (not exists age)'), false);
  t.equal(holdsFor('true'), true);
  t.equal(holdsFor('not true'), false);
});

t.test('PRED-4: strings compare by code point, as their UTF-8 bytes do', async (t) => {
  const record = { ...RECORD, value: { text: '\u{1f600}' } };
  checkRows(
    t,
    [
      ["text > '\uffff'", true],
      ["text < '\uffff'", false],
      ["text <= '\u{1f600}'", true],
      ["text > '\u{1f5ff}'", true],
      ["text > ''", true],
    ],
    record,
  );
  const wellFormed = fc.string({ unit: 'binary' });
  holds(
    t,
    fc.property(wellFormed, wellFormed, (left, right) => {
      const bytes = Buffer.compare(Buffer.from(left), Buffer.from(right));
      return Math.sign(compareText(left, right)) === bytes;
    }),
  );
  const units = fc.constantFrom('a', '\ud83d', '\ude00', '\ud800', '\uffff', '\ue000');
  const any = fc.array(units, { maxLength: 5 }).map((parts) => parts.join(''));
  holds(
    t,
    fc.property(any, any, (left, right) => {
      const expected = Math.sign(compareCodePoints(left, right));
      return (
        Math.sign(compareText(left, right)) === expected && (expected === 0) === (left === right)
      );
    }),
    5000,
  );
});

t.test('PRED-5: numbers are IEEE doubles: −0 equals 0, and NaN is nothing', async (t) => {
  checkRows(t, [
    ['zero = 0', true],
    ['zero = -0', true],
    ['zero >= 0', true],
    ['zero in (0)', true],
    ['huge = 1e999', true],
    ['huge > 1e308', true],
    ['huge < 1e999', false],
  ]);
  const record = { ...RECORD, value: { n: Number.NaN } };
  checkRows(
    t,
    [
      ['n = 0', false],
      ['n != 0', false],
      ['n <= 1e999', false],
      ['n between -1e999 and 1e999', false],
      ['n in (0, 1)', false],
      ['exists n', true],
    ],
    record,
  );
});

t.test('PRED-6: a field leads to own members and elements, nothing else', async (t) => {
  checkRows(t, [
    ["address.city = 'Köln'", true],
    ["tags[0] = 'x'", true],
    ["tags[4][0] = 'y'", true],
    ['tags[5].z = 1', true],
    ['exists tags[6]', false],
    ['exists tags.length', false],
    ['exists tags["0"]', false],
    ['exists name.length', false],
    ['exists name[0]', false],
    ['exists address[0]', false],
    ['exists constructor', false],
    ['exists toString', false],
    ['exists address.__proto__', false],
    ['__proto__.own = 1', true],
    ['exists nothing.x', false],
    ['exists $value', true],
    ['$value = 5', false],
  ]);
  checkRows(
    t,
    [
      ['$value = 5', true],
      ['exists a', false],
    ],
    { ...RECORD, value: 5 },
  );
  checkRows(
    t,
    [
      ["[1] = 'b'", true],
      ["$value contains 'a'", true],
    ],
    { ...RECORD, value: ['a', 'b'] },
  );
});

t.test('PRED-8: contains looks for an equal element, and only in arrays', async (t) => {
  checkRows(t, [
    ["tags contains 'x'", true],
    ['tags contains 1', true],
    ["tags contains '1'", false],
    ['tags contains null', true],
    ['tags contains true', true],
    ["tags contains 'y'", false],
    ["name contains 'Z'", false],
    ["tags = 'x'", false],
  ]);
});

t.test('PRED-1, PRED-2, PRED-3: random predicates hold as the page says', async (t) => {
  let matched = 0;
  const property = fc.property(anyPredicate(FULL), anyRecord(FULL), (predicate, record) => {
    const expected = matches(predicate, record);
    if (expected) matched++;
    return compilePredicate(predicate)(record) === expected;
  });
  holds(t, property, 30_000);
  t.ok(matched > 5000 && matched < 25_000, `${matched} of 30000 matched`);
});

t.test('PRED-1: a predicate of every kind is compiled', async (t) => {
  const seen = new Set<Predicate['kind']>();
  const visit = (predicate: Predicate): void => {
    seen.add(predicate.kind);
    if (predicate.kind === 'not') visit(predicate.predicate);
    else if ('predicates' in predicate) predicate.predicates.forEach(visit);
  };
  for (const predicate of fc.sample(anyPredicate(FULL), { numRuns: 500, seed: 1 }))
    visit(predicate);
  t.equal(seen.size, 15, 'the random predicates have all 15 kinds');
});
