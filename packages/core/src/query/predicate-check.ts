import { unreachable } from '../assert.js';
import {
  KEY_BYTES_MAX,
  LIKE_BYTES_COUNTED_MIN,
  LIKE_BYTES_MAX,
  PATH_STEPS_MAX,
  PREDICATE_DEPTH_MAX,
  PREDICATE_LITERALS_MAX,
  PREDICATE_NODES_MAX,
} from '../limits.js';
import { type Field, type Literal, type Predicate, PredicateError } from './predicate.js';

const INDEX_MAX = 0xffff_ffff;

const utf8 = new TextEncoder();

/** What the tree may still have. */
interface Budget {
  nodes: number;
  literals: number;
  /** Of patterns. */
  likeBytes: number;
}

/**
 * Says whether a predicate is sound: within the limits, and each test fit for its field and
 * literals. All other functions here take sound predicates only.
 *
 * @throws PredicateError with the place in the tree, such as `all[2].not.gt`.
 */
export function checkPredicate(predicate: Predicate): void {
  checkNode(predicate, '', 1, {
    nodes: PREDICATE_NODES_MAX,
    literals: PREDICATE_LITERALS_MAX,
    likeBytes: LIKE_BYTES_MAX,
  });
}

/** @throws PredicateError unless `field` is a place that a record can have. */
export function checkField(field: Field, path = ''): void {
  if (field.kind !== 'value') return;
  const { steps } = field;
  if (steps.length > PATH_STEPS_MAX)
    throw tooLarge(path, `the field has ${steps.length} steps, limit ${PATH_STEPS_MAX}`);
  for (const step of steps) {
    if (typeof step === 'string') checkText(step, path, { what: 'name', bytesMax: KEY_BYTES_MAX });
    else if (!Number.isInteger(step) || step < 0 || step > INDEX_MAX)
      throw wrong(path, `${step} is not the index of an element`);
  }
}

/** The place of a step in the tree. */
export function pathTo(path: string, step: string): string {
  return path === '' ? step : `${path}.${step}`;
}

/** @throws PredicateError if nodes at `depth`, counted from 1, are beyond the limit. */
export function checkDepth(depth: number, path: string): void {
  if (depth > PREDICATE_DEPTH_MAX)
    throw tooLarge(path, `nested deeper than ${PREDICATE_DEPTH_MAX} levels`);
}

export function wrong(path: string, what: string): PredicateError {
  return new PredicateError(`${path === '' ? 'predicate' : path}: ${what}`);
}

export function tooLarge(path: string, what: string): PredicateError {
  return new PredicateError(`${path === '' ? 'predicate' : path}: ${what}`, true);
}

function checkNode(predicate: Predicate, path: string, depth: number, budget: Budget): void {
  checkDepth(depth, path);
  if (--budget.nodes < 0) throw tooLarge(path, `more than ${PREDICATE_NODES_MAX} tests`);
  const here = pathTo(path, predicate.kind);
  switch (predicate.kind) {
    case 'all':
    case 'any':
      for (const [i, child] of predicate.predicates.entries())
        checkNode(child, `${here}[${i}]`, depth + 1, budget);
      return;
    case 'not':
      checkNode(predicate.predicate, here, depth + 1, budget);
      return;
    default:
      budget.literals -= checkTest(predicate, here);
      if (predicate.kind === 'like') budget.likeBytes -= likeBytesOf(predicate.text);
      if (budget.likeBytes < 0)
        throw tooLarge(here, `patterns of more than ${LIKE_BYTES_MAX} bytes in all`);
      if (budget.literals < 0) throw tooLarge(here, `more than ${PREDICATE_LITERALS_MAX} literals`);
  }
}

type Test = Exclude<Predicate, { kind: 'all' | 'any' | 'not' }>;

/** Checks one test; returns how many literals it has. */
function checkTest(test: Test, path: string): number {
  checkField(test.field, path);
  switch (test.kind) {
    case 'exists':
      return 0;
    case 'prefix':
    case 'like':
      checkTextTest(test, path);
      return 1;
    case 'in':
      for (const literal of test.literals) checkLiteral(literal, test.field, path);
      return test.literals.length;
    case 'between':
      checkBetween(test, path);
      return 2;
    case 'contains':
      if (test.field.kind !== 'value') throw wrong(path, `$${test.field.kind} is not an array`);
      checkLiteral(test.literal, test.field, path);
      return 1;
    case 'eq':
    case 'ne':
      checkLiteral(test.literal, test.field, path);
      return 1;
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      checkOrdered(test.literal, test.field, path);
      return 1;
    default:
      return unreachable(test);
  }
}

/** What a pattern counts: bytes, for the time of a match grows with them. */
function likeBytesOf(pattern: string): number {
  return Math.max(LIKE_BYTES_COUNTED_MIN, utf8.encode(pattern).length);
}

function checkTextTest(test: Extract<Test, { kind: 'prefix' | 'like' }>, path: string): void {
  if (test.field.kind === 'stamp') throw wrong(path, '$stamp is a number, not text');
  checkText(test.text, path, { what: 'text', bytesMax: Number.POSITIVE_INFINITY });
}

function checkBetween(test: Extract<Test, { kind: 'between' }>, path: string): void {
  checkOrdered(test.low, test.field, path);
  checkOrdered(test.high, test.field, path);
  if (typeof test.low !== typeof test.high)
    throw wrong(path, 'both ends must be numbers or both texts');
}

function checkOrdered(literal: Literal, field: Field, path: string): void {
  checkLiteral(literal, field, path);
  if (typeof literal !== 'number' && typeof literal !== 'string')
    throw wrong(path, `${literal} has no order`);
}

function checkLiteral(literal: Literal, field: Field, path: string): void {
  if (literal === undefined) throw wrong(path, 'the literal is missing');
  if (Number.isNaN(literal)) throw wrong(path, 'NaN equals nothing');
  if (typeof literal === 'string')
    checkText(literal, path, { what: 'literal', bytesMax: Number.POSITIVE_INFINITY });
  if (field.kind === 'key' && typeof literal !== 'string')
    throw wrong(path, `$key is text, ${literal} is not`);
  if (field.kind === 'stamp' && typeof literal !== 'number')
    throw wrong(path, '$stamp is a number, the literal is not');
}

function checkText(text: string, path: string, rule: { what: string; bytesMax: number }): void {
  if (/\p{Surrogate}/u.test(text))
    throw wrong(path, `the ${rule.what} has a lone surrogate, which no UTF-8 text has`);
  // A string has at least as many UTF-8 bytes as UTF-16 units.
  const isLong = text.length > rule.bytesMax || utf8.encode(text).length > rule.bytesMax;
  if (isLong) throw tooLarge(path, `the ${rule.what} is longer than ${rule.bytesMax} bytes`);
}
