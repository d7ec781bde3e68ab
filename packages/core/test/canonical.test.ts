import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { canonicalPredicate } from '#lib/query/canonical.js';
import { compilePredicate } from '#lib/query/evaluate.js';
import type { Predicate } from '#lib/query/predicate.js';
import { encodePredicate } from '#lib/query/predicate-codec.js';
import { formatPredicate } from '#lib/query/predicate-format.js';
import { parsePredicate } from '#lib/query/predicate-text.js';
import { anyPredicate, anyRecord, FULL } from './predicate-arbitraries.js';
import { holds } from './property.js';
import { SEED, SeededRandom } from './seeded-random.js';

function nodesOf(predicate: Predicate): number {
  if (predicate.kind === 'not') return 1 + nodesOf(predicate.predicate);
  if (predicate.kind !== 'all' && predicate.kind !== 'any') return 1;
  return predicate.predicates.reduce((nodes, child) => nodes + nodesOf(child), 1);
}

t.test('PRED-10: the canonical form matches the same records', async (t) => {
  let matched = 0;
  const property = fc.property(anyPredicate(FULL), anyRecord(FULL), (predicate, record) => {
    const expected = compilePredicate(predicate)(record);
    if (expected) matched++;
    return compilePredicate(canonicalPredicate(predicate))(record) === expected;
  });
  holds(t, property, 30_000);
  t.ok(matched > 5000, `${matched} of 30000 matched`);
});

t.test('PRED-10: it is its own canonical form, and has no more tests', async (t) => {
  const property = fc.property(anyPredicate(FULL), (predicate) => {
    const canonical = canonicalPredicate(predicate);
    return (
      isDeepStrictEqual(canonicalPredicate(canonical), canonical) &&
      nodesOf(canonical) <= nodesOf(predicate)
    );
  });
  holds(t, property, 10_000);
});

/** The same in other words: members shuffled, doubled, grouped, wrapped. */
function disguised(predicate: Predicate, random: SeededRandom): Predicate {
  if (random.chance(10)) return { kind: 'not', predicate: { kind: 'not', predicate } };
  if (random.chance(10)) return { kind: random.pick(['all', 'any']), predicates: [predicate] };
  switch (predicate.kind) {
    case 'not':
      return { kind: 'not', predicate: disguised(predicate.predicate, random) };
    case 'all':
    case 'any': {
      const { kind } = predicate;
      const members = predicate.predicates.map((child) => disguised(child, random));
      if (members.length > 0 && random.chance(50)) members.push(random.pick(members));
      if (random.chance(30)) members.push({ kind: kind === 'all' ? 'all' : 'any', predicates: [] });
      members.sort(() => random.below(3) - 1);
      if (members.length < 2 || random.chance(50)) return { kind, predicates: members };
      const group: Predicate = { kind, predicates: members.slice(1) };
      return { kind, predicates: [members[0], group] };
    }
    case 'in':
      return { ...predicate, literals: [...predicate.literals, ...predicate.literals].reverse() };
    case 'eq':
      return { kind: 'in', field: predicate.field, literals: [predicate.literal] };
    default:
      return predicate;
  }
}

t.test('PRED-11: the same in other words has the same bytes', async (t) => {
  const random = new SeededRandom(SEED);
  let changed = 0;
  const property = fc.property(anyPredicate(FULL), (predicate) => {
    const other = disguised(predicate, random);
    if (!isDeepStrictEqual(predicate, other)) changed++;
    const bytes = encodePredicate(canonicalPredicate(predicate));
    return Buffer.compare(bytes, encodePredicate(canonicalPredicate(other))) === 0;
  });
  holds(t, property, 10_000);
  t.ok(changed > 5000, `${changed} of 10000 were in other words`);
});

t.test('PRED-11: each rule of the canonical form', async (t) => {
  for (const [text, expected] of [
    ['b = 1 and a = 1', 'a = 1 and b = 1'],
    ['a = 1 and (b = 2 and c = 3)', 'a = 1 and b = 2 and c = 3'],
    ['a = 1 or a = 1', 'a = 1'],
    ['not not a = 1', 'a = 1'],
    ['not not not a = 1', 'not a = 1'],
    ['a in (3, 1, 3)', 'a in (1, 3)'],
    ['a in (1)', 'a = 1'],
    ['a in (0, -0)', 'a = 0'],
    ['a = -0', 'a = 0'],
    ['a = 1 and true', 'a = 1'],
    ['a = 1 and false', 'false'],
    ['a = 1 or true', 'true'],
    ['a = 1 or false', 'a = 1'],
    ['not true', 'false'],
    ['a = 1 and not (b = 2 and false)', 'a = 1'],
    ['a != true', 'a = false'],
    ['a != null', 'a in ()'],
    ['a between 3 and 3', 'a = 3'],
    ['a between 3 and 2', 'a in ()'],
    ["a between '\u{1f600}' and '\uffff'", 'a in ()'],
    ["a like 'x'", "a = 'x'"],
    ["a like 'x%'", "a prefix 'x'"],
    ["a like '%'", "a prefix ''"],
    ["a like '%_%%x'", "a like '_%x'"],
    ["a like '%_'", "a like '_%'"],
    ['exists $key', 'true'],
    ["$key prefix ''", 'true'],
    ["$key like '%'", 'true'],
    ['$key in ()', 'false'],
    ['$stamp between 2 and 1', 'false'],
    ['exists a and not a in ()', 'exists a and not a in ()'],
  ])
    t.equal(formatPredicate(canonicalPredicate(parsePredicate(text))), expected, text);
});

t.test('PRED-11: what differs in meaning keeps different bytes', async (t) => {
  const texts = [
    'a = 1',
    "a = '1'",
    'a = 1e999',
    'a = -1e999',
    'a = null',
    "a = 'null'",
    'a = true',
    'a[0] = 1',
    'a."0" = 1',
    '"a.b" = 1',
    'a.b = 1',
    "$key = 'a'",
    '"$key" = \'a\'',
    '$value = 1',
    '"" = 1',
    "a like 'x_'",
    "a prefix 'x_'",
    'a > 1',
    'a >= 1',
  ];
  const bytes = texts.map((text) =>
    Buffer.from(encodePredicate(canonicalPredicate(parsePredicate(text)))).toString('hex'),
  );
  t.equal(new Set(bytes).size, texts.length);
});
