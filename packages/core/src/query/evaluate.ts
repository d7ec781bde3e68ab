import { unreachable } from '../assert.js';
import { fieldReader } from './field-reader.js';
import { likeMatcher } from './like.js';
import { type Literal, NOT_JSON, type Predicate, type QueriedRecord } from './predicate.js';
import { compareText } from './text-order.js';

export type RecordTest = (record: QueriedRecord) => boolean;

/**
 * Makes a function of a sound predicate, out of closures. What it answers is written in
 * docs/formats/predicate.md.
 *
 * A test of the value neither holds nor fails for a record that is not JSON. So negations are
 * carried down to the tests: there, and only there, such a record is neither.
 */
export function compilePredicate(predicate: Predicate): RecordTest {
  return compile(predicate, false);
}

type Test = Exclude<Predicate, { kind: 'all' | 'any' | 'not' }>;
type ValueTest = (value: unknown) => boolean;

function compile(predicate: Predicate, isNegated: boolean): RecordTest {
  switch (predicate.kind) {
    case 'not':
      return compile(predicate.predicate, !isNegated);
    case 'all':
    case 'any': {
      const tests = predicate.predicates.map((child) => compile(child, isNegated));
      return (predicate.kind === 'all') === isNegated ? anyOf(tests) : allOf(tests);
    }
    default:
      return isNegated ? failing(predicate) : holding(predicate);
  }
}

function allOf(tests: readonly RecordTest[]): RecordTest {
  if (tests.length === 1) return tests[0];
  return (record) => {
    for (const test of tests) if (!test(record)) return false;
    return true;
  };
}

function anyOf(tests: readonly RecordTest[]): RecordTest {
  if (tests.length === 1) return tests[0];
  return (record) => {
    for (const test of tests) if (test(record)) return true;
    return false;
  };
}

function holding(test: Test): RecordTest {
  const read = fieldReader(test.field);
  const holds = valueTest(test);
  return (record) => holds(read(record));
}

function failing(test: Test): RecordTest {
  const read = fieldReader(test.field);
  const holds = valueTest(test);
  if (test.field.kind !== 'value') return (record) => !holds(read(record));
  return (record) => record.value !== NOT_JSON && !holds(read(record));
}

/** The test of a field's value, undefined if it is missing. */
function valueTest(test: Test): ValueTest {
  switch (test.kind) {
    case 'exists':
      return (value) => value !== undefined;
    case 'prefix':
      return (value) => typeof value === 'string' && value.startsWith(test.text);
    case 'like': {
      const matches = likeMatcher(test.text);
      return (value) => typeof value === 'string' && matches(value);
    }
    case 'in': {
      const literals = new Set<unknown>(test.literals);
      return (value) => literals.has(value);
    }
    case 'contains':
      return (value) => Array.isArray(value) && value.includes(test.literal);
    case 'eq':
      return (value) => value === test.literal;
    case 'ne':
      return differs(test.literal);
    case 'between':
      return both(ordered('ge', test.low), ordered('le', test.high));
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return ordered(test.kind, test.literal);
    default:
      return unreachable(test);
  }
}

/** Of the same type and another value: so null differs from nothing, and NaN neither. */
function differs(literal: Literal): ValueTest {
  if (literal === null) return () => false;
  const type = typeof literal;
  // biome-ignore lint/suspicious/noSelfCompare: NaN alone is not itself
  return (value) => typeof value === type && value !== literal && value === value;
}

function both(left: ValueTest, right: ValueTest): ValueTest {
  return (value) => left(value) && right(value);
}

type Order = 'lt' | 'le' | 'gt' | 'ge';

function ordered(order: Order, literal: Literal): ValueTest {
  return typeof literal === 'string'
    ? textOrdered(order, literal)
    : numberOrdered(order, literal as number);
}

function numberOrdered(order: Order, literal: number): ValueTest {
  switch (order) {
    case 'lt':
      return (value) => typeof value === 'number' && value < literal;
    case 'le':
      return (value) => typeof value === 'number' && value <= literal;
    case 'gt':
      return (value) => typeof value === 'number' && value > literal;
    default:
      return (value) => typeof value === 'number' && value >= literal;
  }
}

function textOrdered(order: Order, literal: string): ValueTest {
  switch (order) {
    case 'lt':
      return (value) => typeof value === 'string' && compareText(value, literal) < 0;
    case 'le':
      return (value) => typeof value === 'string' && compareText(value, literal) <= 0;
    case 'gt':
      return (value) => typeof value === 'string' && compareText(value, literal) > 0;
    default:
      return (value) => typeof value === 'string' && compareText(value, literal) >= 0;
  }
}
