import fc from 'fast-check';
import t from 'tap';
import { unreachable } from '#lib/assert.js';
import { type Access, accessPlanOf, describeAccess } from '#lib/query/access-plan.js';
import { canonicalPredicate } from '#lib/query/canonical.js';
import { compilePredicate } from '#lib/query/evaluate.js';
import { fieldReader } from '#lib/query/field-reader.js';
import type { Predicate, QueriedRecord } from '#lib/query/predicate.js';
import { parsePredicate } from '#lib/query/predicate-text.js';
import { anyPredicate, anyRecord, FULL } from './predicate-arbitraries.js';
import { compareCodePoints } from './predicate-oracle.js';
import { holds } from './property.js';

/** Whether an index that serves the access finds the record. */
function finds(access: Access, record: QueriedRecord): boolean {
  if (access.kind === 'linear') return true;
  const value = fieldReader(access.field)(record);
  switch (access.kind) {
    case 'equal':
      return access.literals.some((literal) => literal === value);
    case 'element':
      return Array.isArray(value) && access.literals.some((literal) => value.includes(literal));
    case 'prefix':
      return typeof value === 'string' && value.startsWith(access.text);
    case 'range':
      return (
        isBeyond(value, access.low, access.lowInclusive, 1) &&
        isBeyond(value, access.high, access.highInclusive, -1)
      );
    default:
      return unreachable(access);
  }
}

function isBeyond(value: unknown, end: unknown, isInclusive: boolean, side: 1 | -1): boolean {
  if (end === undefined) return true;
  if (typeof value !== typeof end) return false;
  const order =
    typeof end === 'string'
      ? compareCodePoints(value as string, end)
      : Math.sign((value as number) - (end as number));
  return value === end
    ? isInclusive
    : order * side > 0 || (value as number) * side > (end as number) * side;
}

t.test('PRED-12: whatever matches is found by an access', async (t) => {
  let found = 0;
  let passedOver = 0;
  const property = fc.property(anyPredicate(FULL), anyRecord(FULL), (predicate, record) => {
    const canonical = canonicalPredicate(predicate);
    const plan = accessPlanOf(canonical);
    if (plan.some((access) => access.kind === 'linear')) return plan.length === 1;
    const isFound = plan.some((access) => finds(access, record));
    if (isFound) found++;
    else passedOver++;
    return isFound || !compilePredicate(canonical)(record);
  });
  holds(t, property, 40_000);
  t.ok(found > 1000 && passedOver > 5000, `${found} found, ${passedOver} passed over by an index`);
});

t.test('PRED-12: ranges cut together still find whatever matches', async (t) => {
  const small = fc.integer({ min: 0, max: 3 });
  const range = fc
    .tuple(fc.constantFrom('a', 'b'), fc.constantFrom('lt', 'le', 'gt', 'ge'), small)
    .map(([name, kind, literal]): Predicate => {
      return { kind, field: { kind: 'value', steps: [name] }, literal };
    });
  const ranges = fc.array(range, { minLength: 2, maxLength: 4 });
  let matched = 0;
  const property = fc.property(ranges, small, small, (predicates, a, b) => {
    const canonical = canonicalPredicate({ kind: 'all', predicates });
    const record = { key: 'k', stampMs: 0, value: { a, b } };
    if (!compilePredicate(canonical)(record)) return true;
    matched++;
    return accessPlanOf(canonical).some((access) => finds(access, record));
  });
  holds(t, property, 20_000);
  t.ok(matched > 1000, `${matched} of 20000 matched`);
});

function planOf(text: string): string[] {
  return accessPlanOf(canonicalPredicate(parsePredicate(text))).map(describeAccess);
}

t.test('PRED-13: the most selective part of a conjunction is sought', async (t) => {
  t.same(planOf('a > 1 and b = 2'), ['b is 2']);
  t.same(planOf("a > 1 and b prefix 'x'"), ["b begins with 'x'"]);
  t.same(planOf("b prefix 'x' and tags contains 1"), ['an element of tags is 1']);
  t.same(planOf('tags contains 1 and b in (1, 2)'), ['b is one of 1, 2']);
  t.same(planOf('a in (1, 2) and b = 3'), ['b is 3'], 'one value before two');
  t.same(planOf("a like '%x' and b > 1"), ['b is above 1']);
  t.same(planOf('(a = 1 or b = 2) and c > 3'), ['a is 1', 'b is 2'], 'a union counts as its worst');
  t.same(planOf('(a = 1 or b > 2) and c = 3'), ['c is 3']);
  t.same(planOf('not a = 1 and b = 2'), ['b is 2']);
});

t.test('PRED-13: ranges of one field are cut together', async (t) => {
  t.same(planOf('a > 1 and a < 5'), ['a is above 1 and below 5']);
  t.same(planOf('a >= 1 and a between 0 and 5'), ['a is at least 1 and at most 5']);
  t.same(planOf('a > 1 and a >= 1 and a <= 5 and a < 5'), ['a is above 1 and below 5']);
  t.same(planOf('a >= 1 and a > 1 and a < 5 and a <= 5'), ['a is above 1 and below 5']);
  t.same(planOf("a > 'x' and a < '\uffff' and a < '\u{1f600}'"), [
    "a is above 'x' and below '\uffff'",
  ]);
  t.same(planOf('a > 1 and b < 5'), ['a is above 1'], 'of two fields one is enough');
  t.same(planOf("a > 1 and a < 'x'").length, 1, 'of two types one is enough');
  t.same(planOf('a > 5 and a < 1'), ['a is above 5 and below 1'], 'an empty one is no fault');
});

t.test('PRED-13: a union is sought if all of it can be', async (t) => {
  t.same(planOf('a = 1 or b > 2'), ['a is 1', 'b is above 2']);
  t.same(planOf("a = 1 or name like '%x'"), ['every record is tried']);
  t.same(planOf("$key = 'x' or $stamp > 5"), ["$key is 'x'", '$stamp is above 5']);
});

t.test(
  'PRED-13: what no index serves is linear, and what nothing matches needs no access',
  async (t) => {
    for (const text of ['true', 'a != 1', 'exists a', 'not a = 1', "a like '_x'", "a prefix ''"])
      t.same(planOf(text), ['every record is tried'], text);
    t.same(planOf("a like 'xy_z%'"), ["a begins with 'xy'"]);
    t.same(planOf('a != true'), ['a is false']);
    for (const text of ['false', 'a in ()', 'a != null', 'b = 1 and a between 2 and 1'])
      t.same(planOf(text), [], text);
  },
);
