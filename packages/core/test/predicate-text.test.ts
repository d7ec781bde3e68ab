import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { PREDICATE_TEXT_MAX } from '#lib/limits.js';
import { canonicalPredicate } from '#lib/query/canonical.js';
import type { Field, Predicate } from '#lib/query/predicate.js';
import { encodePredicate } from '#lib/query/predicate-codec.js';
import { formatPredicate } from '#lib/query/predicate-format.js';
import { PredicateTextError, parsePredicate } from '#lib/query/predicate-text.js';
import { anyPredicate, FULL } from './predicate-arbitraries.js';
import { holds } from './property.js';
import { SEED, SeededRandom } from './seeded-random.js';

function value(...steps: (string | number)[]): Field {
  return { kind: 'value', steps };
}

t.test('PRED-25: every test has its text', async (t) => {
  const a = value('a');
  const rows: [string, Predicate][] = [
    ['a = 1', { kind: 'eq', field: a, literal: 1 }],
    ['a == 1', { kind: 'eq', field: a, literal: 1 }],
    ['a!=1', { kind: 'ne', field: a, literal: 1 }],
    ['a <> 1', { kind: 'ne', field: a, literal: 1 }],
    ['a < -1.5e3', { kind: 'lt', field: a, literal: -1500 }],
    ['a<=1', { kind: 'le', field: a, literal: 1 }],
    ["a > 'x'", { kind: 'gt', field: a, literal: 'x' }],
    ['a >= "x"', { kind: 'ge', field: a, literal: 'x' }],
    ['a = null', { kind: 'eq', field: a, literal: null }],
    ['a = TRUE', { kind: 'eq', field: a, literal: true }],
    ['a between 18 and 30', { kind: 'between', field: a, low: 18, high: 30 }],
    ["a in ('a', 'b',1)", { kind: 'in', field: a, literals: ['a', 'b', 1] }],
    ['a in ()', { kind: 'in', field: a, literals: [] }],
    ["a PREFIX 'x'", { kind: 'prefix', field: a, text: 'x' }],
    ["a like '%x_'", { kind: 'like', field: a, text: '%x_' }],
    ['a contains "sea"', { kind: 'contains', field: a, literal: 'sea' }],
    ['exists address.city', { kind: 'exists', field: value('address', 'city') }],
    ['true', { kind: 'all', predicates: [] }],
    ['false', { kind: 'any', predicates: [] }],
  ];
  for (const [text, predicate] of rows) t.same(parsePredicate(text), predicate, text);
});

t.test('PRED-25: every field has its text', async (t) => {
  for (const [text, field] of [
    ['$key', { kind: 'key' }],
    ['$stamp', { kind: 'stamp' }],
    ['$value', value()],
    ['tags[0].x', value('tags', 0, 'x')],
    ['[3]', value(3)],
    ['"odd name".x', value('odd name', 'x')],
    ['x."$key"', value('x', '$key')],
    ['["$key"]', value('$key')],
    ["x['it''s']", value('x', "it's")],
    ['"say ""x"""', value('say "x"')],
    ['"and"', value('and')],
    ['größe', value('größe')],
  ] as [string, Field][])
    t.same(parsePredicate(`exists ${text}`), { kind: 'exists', field }, text);
});

t.test('PRED-25: not binds closest, then and, then or', async (t) => {
  const test = (name: string): Predicate => ({ kind: 'exists', field: value(name) });
  const [a, b, c] = ['a', 'b', 'c'].map(test);
  t.same(parsePredicate('not exists a and exists b or exists c'), {
    kind: 'any',
    predicates: [{ kind: 'all', predicates: [{ kind: 'not', predicate: a }, b] }, c],
  });
  t.same(parsePredicate('exists a And (exists b OR NOT exists c)'), {
    kind: 'all',
    predicates: [a, { kind: 'any', predicates: [b, { kind: 'not', predicate: c }] }],
  });
  t.same(parsePredicate('((exists a))'), a);
});

t.test('PRED-26: an error says where, and what was expected there', async (t) => {
  for (const [text, column, message] of [
    ['', 1, 'a field is expected, not the end'],
    ['age >', 6, "a literal, such as 18, 'text', true or null, is expected, not the end"],
    ['age > x', 7, 'is expected, not "x"'],
    ['age > 18 and', 13, 'a field is expected, not the end'],
    ['age 5', 5, 'a comparison, such as'],
    ['age like 5', 10, 'a text in quotes, such as \'a\', is expected, not "5"'],
    ['age in 5', 8, '"(" is expected'],
    ['age in (5', 10, '"," or ")" is expected, not the end'],
    ['age between 1 or 2', 15, '"and" is expected, not "or"'],
    ['(a = 1', 7, '"and", "or" or ")" is expected, not the end'],
    ['a = 1)', 6, '"and", "or" or the end is expected, not ")"'],
    ['a = 1 b', 7, 'is expected, not "b"'],
    ['a.and = 1', 3, 'a field is expected, not "and"'],
    ['a[x] = 1', 3, 'the index of an element or a quoted name is expected, not "x"'],
    ['a[-1] = 1', 3, 'the index of an element'],
    ['a[1 = 1', 5, '"]" is expected, not "="'],
    ["a = 'x", 5, "the closing ' is missing"],
    ['"a', 1, 'the closing " is missing'],
    ['a = 01', 5, 'this is not a number as in JSON'],
    ['a = 1.', 5, 'this is not a number as in JSON'],
    ["'\u{1f600}' = 1", 1, 'a field is expected'],
    ["a = '\u{1f600}' ;", 9, '";" means nothing here'],
    ['$keys = 1', 1, '$key, $stamp or $value is expected, not "$keys"'],
    ["a = 1 and $stamp > 'x'", 11, 'gt: $stamp is a number, the literal is not'],
    ['a < null', 1, 'lt: null has no order'],
    ['a[4294967296] = 1', 1, 'eq: 4294967296 is not the index of an element'],
  ] as [string, number, string][]) {
    try {
      parsePredicate(text);
      t.fail(`${text} was read`);
    } catch (error) {
      if (!(error instanceof PredicateTextError)) throw error;
      t.equal(error.column, column, text);
      t.ok(error.message.startsWith(`At column ${column}: `), error.message);
      t.ok(error.message.includes(message), `${error.message} has: ${message}`);
    }
  }
});

t.test('PRED-26: hostile text is refused, whatever its size', async (t) => {
  const deep = 100_000;
  for (const text of [
    '('.repeat(1000),
    `${'not '.repeat(1000)}a = 1`,
    `${'('.repeat(1000)}a = 1${')'.repeat(1000)}`,
    '('.repeat(deep),
    'x'.repeat(PREDICATE_TEXT_MAX + 1),
    "'".repeat(PREDICATE_TEXT_MAX - 1),
    Array(65).fill('a = 1').join(' or '),
    `a${'.b'.repeat(16)} = 1`,
  ])
    t.throws(() => parsePredicate(text), PredicateTextError, `${text.slice(0, 12)}…`);
});

t.test('PRED-26: damaged text is read as something sound, or refused', async (t) => {
  const random = new SeededRandom(SEED);
  const texts = fc.sample(anyPredicate(FULL), { numRuns: 500, seed: SEED }).map(formatPredicate);
  const pieces = [
    'a',
    '(',
    ')',
    ' ',
    'not ',
    ' and ',
    '=',
    "'",
    '"',
    '1',
    '[',
    ']',
    '.',
    ',',
    'in',
  ];
  pieces.push('$key', '\u{1f600}', '\ud800', 'null', '-', '<', 'exists ', ' between ');
  let read = 0;
  let refused = 0;
  for (let i = 0; i < 20_000; i++) {
    const text = random.pick(texts);
    const at = random.below(text.length + 1);
    const rest = text.slice(at + (random.chance(50) ? random.below(6) : 0));
    const inserted = random.chance(70) ? random.pick(pieces) : '';
    try {
      encodePredicate(parsePredicate(text.slice(0, at) + inserted + rest));
      read++;
    } catch (error) {
      if (!(error instanceof PredicateTextError)) throw error;
      refused++;
    }
  }
  t.ok(read > 1000 && refused > 5000, `${read} read, ${refused} refused`);
});

function withoutSingles(predicate: Predicate): Predicate {
  if (predicate.kind === 'not')
    return { kind: 'not', predicate: withoutSingles(predicate.predicate) };
  if (predicate.kind !== 'all' && predicate.kind !== 'any') return predicate;
  const predicates = predicate.predicates.map(withoutSingles);
  return predicates.length === 1 ? predicates[0] : { ...predicate, predicates };
}

t.test('PRED-27: the text of a predicate reads as that predicate', async (t) => {
  holds(
    t,
    fc.property(anyPredicate(FULL), (predicate) =>
      isDeepStrictEqual(parsePredicate(formatPredicate(predicate)), withoutSingles(predicate)),
    ),
    20_000,
  );
  holds(
    t,
    fc.property(anyPredicate(FULL), (predicate) => {
      const canonical = canonicalPredicate(predicate);
      return isDeepStrictEqual(parsePredicate(formatPredicate(canonical)), canonical);
    }),
    10_000,
  );
});
