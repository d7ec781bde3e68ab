import { unreachable } from '../assert.js';
import type { Field, Literal, Predicate } from './predicate.js';
import { formatField, formatLiteral } from './predicate-format.js';
import { compareText } from './text-order.js';

/** One way to find records. */
export type Access =
  /** The field has one of these values. */
  | { readonly kind: 'equal'; readonly field: Field; readonly literals: readonly Literal[] }
  /** The field is an array, and one of its elements has one of these values. */
  | { readonly kind: 'element'; readonly field: Field; readonly literals: readonly Literal[] }
  | Range
  /** The field is a string that begins with it. */
  | { readonly kind: 'prefix'; readonly field: Field; readonly text: string }
  /** Every record must be tried. */
  | { readonly kind: 'linear' };

/** The field has a value of the ends' type between them; at least one end is there. */
interface Range {
  readonly kind: 'range';
  readonly field: Field;
  readonly low: number | string | undefined;
  readonly lowInclusive: boolean;
  readonly high: number | string | undefined;
  readonly highInclusive: boolean;
}

const LINEAR: readonly Access[] = [{ kind: 'linear' }];

/** How much an access leaves over to be tried, by experience; from the best to the worst. */
const RANKS = { equal: 0, element: 1, prefix: 2, range: 3, linear: 4 } as const;

/**
 * How an index finds all records for which a canonical predicate holds: each is found by at least
 * one of the accesses, along with others. No access at all: there are no such records. A linear
 * access stands alone.
 */
export function accessPlanOf(predicate: Predicate): readonly Access[] {
  switch (predicate.kind) {
    case 'all':
      return planOfAll(predicate.predicates);
    case 'any':
      return planOfAny(predicate.predicates);
    case 'eq':
      return [{ kind: 'equal', field: predicate.field, literals: [predicate.literal] }];
    case 'in': {
      const { field, literals } = predicate;
      return literals.length === 0 ? [] : [{ kind: 'equal', field, literals }];
    }
    case 'contains':
      return [{ kind: 'element', field: predicate.field, literals: [predicate.literal] }];
    case 'prefix':
      return planOfPrefix(predicate.field, predicate.text);
    case 'like':
      return planOfPrefix(predicate.field, predicate.text.replace(/[%_].*/su, ''));
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
    case 'between':
      return rangePlans([predicate])[0];
    case 'not':
    case 'ne':
    case 'exists':
      return LINEAR;
    default:
      return unreachable(predicate);
  }
}

/** A sentence for `explain`. */
export function describeAccess(access: Access): string {
  switch (access.kind) {
    case 'equal':
      return `${formatField(access.field)} is ${oneOf(access.literals)}`;
    case 'element':
      return `an element of ${formatField(access.field)} is ${oneOf(access.literals)}`;
    case 'prefix':
      return `${formatField(access.field)} begins with ${formatLiteral(access.text)}`;
    case 'range':
      return `${formatField(access.field)} is ${describeEnds(access)}`;
    case 'linear':
      return 'every record is tried';
    default:
      return unreachable(access);
  }
}

function oneOf(literals: readonly Literal[]): string {
  const texts = literals.map(formatLiteral);
  return texts.length === 1 ? texts[0] : `one of ${texts.join(', ')}`;
}

function describeEnds(range: Range): string {
  const ends: string[] = [];
  if (range.low !== undefined)
    ends.push(`${range.lowInclusive ? 'at least' : 'above'} ${formatLiteral(range.low)}`);
  if (range.high !== undefined)
    ends.push(`${range.highInclusive ? 'at most' : 'below'} ${formatLiteral(range.high)}`);
  return ends.join(' and ');
}

/** One member that is found is enough: the best of them. Ranges of one field are cut together. */
function planOfAll(members: readonly Predicate[]): readonly Access[] {
  const plans = rangePlans(members);
  for (const member of members) if (!isRange(member)) plans.push(accessPlanOf(member));
  return plans.reduce((best, plan) => (isBetter(plan, best) ? plan : best), LINEAR);
}

function planOfAny(members: readonly Predicate[]): readonly Access[] {
  const plan = members.flatMap(accessPlanOf);
  return plan.some((access) => access.kind === 'linear') ? LINEAR : plan;
}

function isBetter(plan: readonly Access[], other: readonly Access[]): boolean {
  const rank = rankOf(plan) - rankOf(other);
  return rank < 0 || (rank === 0 && probesOf(plan) < probesOf(other));
}

/** That of the worst access. */
function rankOf(plan: readonly Access[]): number {
  return Math.max(-1, ...plan.map((access) => RANKS[access.kind]));
}

function probesOf(plan: readonly Access[]): number {
  let probes = 0;
  for (const access of plan) probes += 'literals' in access ? access.literals.length : 1;
  return probes;
}

/** Of a `like`: what stands before its first wildcard. Any string at all is no use to an index. */
function planOfPrefix(field: Field, text: string): readonly Access[] {
  return text === '' ? LINEAR : [{ kind: 'prefix', field, text }];
}

type Between = Extract<Predicate, { kind: 'between' }>;
type RangeTest =
  | Between
  | { kind: 'lt' | 'le' | 'gt' | 'ge'; readonly field: Field; readonly literal: Literal };

function isRange(predicate: Predicate): predicate is Predicate & RangeTest {
  return ['lt', 'le', 'gt', 'ge', 'between'].includes(predicate.kind);
}

function rangeOf(test: RangeTest): Range {
  const { field } = test;
  if (test.kind === 'between') {
    // Sound predicates have ends of one type, numbers or strings.
    const ends = { low: test.low as number | string, high: test.high as number | string };
    return { kind: 'range', field, ...ends, lowInclusive: true, highInclusive: true };
  }
  const end = test.literal as number | string;
  const isLow = test.kind === 'gt' || test.kind === 'ge';
  return {
    kind: 'range',
    field,
    low: isLow ? end : undefined,
    lowInclusive: test.kind === 'ge',
    high: isLow ? undefined : end,
    highInclusive: test.kind === 'le',
  };
}

/** The ranges among `members`, those of one field and type as their intersection. */
function rangePlans(members: readonly Predicate[]): (readonly Access[])[] {
  const byField = new Map<string, Range>();
  for (const range of members.filter(isRange).map(rangeOf)) {
    const place = `${typeof (range.low ?? range.high)} ${formatField(range.field)}`;
    const other = byField.get(place);
    byField.set(place, other ? intersection(other, range) : range);
  }
  return [...byField.values()].map((range) => [range]);
}

function intersection(left: Range, right: Range): Range {
  const low = isHigherLow(left, right) ? left : right;
  const high = isLowerHigh(left, right) ? left : right;
  return {
    kind: 'range',
    field: left.field,
    low: low.low,
    lowInclusive: low.lowInclusive,
    high: high.high,
    highInclusive: high.highInclusive,
  };
}

function isHigherLow(left: Range, right: Range): boolean {
  if (left.low === undefined || right.low === undefined) return right.low === undefined;
  const order = compareEnds(left.low, right.low);
  return order > 0 || (order === 0 && !left.lowInclusive);
}

function isLowerHigh(left: Range, right: Range): boolean {
  if (left.high === undefined || right.high === undefined) return right.high === undefined;
  const order = compareEnds(left.high, right.high);
  return order < 0 || (order === 0 && !left.highInclusive);
}

function compareEnds(left: number | string, right: number | string): number {
  if (typeof left === 'string') return compareText(left, right as string);
  return left < (right as number) ? -1 : left > (right as number) ? 1 : 0;
}
