import { unreachable } from '../assert.js';
import type { Field, Literal, Predicate } from './predicate.js';

/** Words of the text form. */
const WORDS: ReadonlySet<string> = new Set([
  'and',
  'between',
  'contains',
  'exists',
  'false',
  'in',
  'like',
  'not',
  'null',
  'or',
  'prefix',
  'true',
]);

const PLAIN_NAME = /^[\p{L}_][\p{L}\p{N}_]*$/u;

const OPERATORS = { eq: '=', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' } as const;

/**
 * The text form. Parsed, it gives the same predicate, groups of one member apart: these are written
 * as that member. Different predicates in canonical form have different texts.
 */
export function formatPredicate(predicate: Predicate): string {
  switch (predicate.kind) {
    case 'all':
      return formatGroup(predicate.predicates, { word: ' and ', empty: 'true' });
    case 'any':
      return formatGroup(predicate.predicates, { word: ' or ', empty: 'false' });
    case 'not':
      return `not ${formatMember(predicate.predicate)}`;
    case 'exists':
      return `exists ${formatField(predicate.field)}`;
    default:
      return `${formatField(predicate.field)} ${formatTest(predicate)}`;
  }
}

/** A member of such a name is quoted. */
export function isPredicateWord(name: string): boolean {
  return WORDS.has(name.toLowerCase());
}

/** As in a predicate: `address.city`, `tags[0]`, `"odd name".x`, `$key`. */
export function formatField(field: Field): string {
  if (field.kind !== 'value') return `$${field.kind}`;
  if (field.steps.length === 0) return '$value';
  return field.steps.map(formatStep).join('');
}

export function formatLiteral(literal: Literal): string {
  if (typeof literal === 'string') return quoted(literal, "'");
  if (Object.is(literal, -0)) return '-0';
  if (typeof literal !== 'number' || Number.isFinite(literal)) return String(literal);
  return literal < 0 ? '-1e999' : '1e999'; // as JSON reads it
}

function formatGroup(
  members: readonly Predicate[],
  shape: { word: string; empty: string },
): string {
  if (members.length === 0) return shape.empty;
  if (members.length === 1) return formatPredicate(members[0]);
  return members.map(formatMember).join(shape.word);
}

function formatMember(predicate: Predicate): string {
  const isGroup = predicate.kind === 'all' || predicate.kind === 'any';
  if (!isGroup || predicate.predicates.length === 0) return formatPredicate(predicate);
  if (predicate.predicates.length === 1) return formatMember(predicate.predicates[0]);
  return `(${formatPredicate(predicate)})`;
}

type Test = Exclude<Predicate, { kind: 'all' | 'any' | 'not' | 'exists' }>;

function formatTest(test: Test): string {
  switch (test.kind) {
    case 'prefix':
    case 'like':
      return `${test.kind} ${formatLiteral(test.text)}`;
    case 'in':
      return `in (${test.literals.map(formatLiteral).join(', ')})`;
    case 'between':
      return `between ${formatLiteral(test.low)} and ${formatLiteral(test.high)}`;
    case 'contains':
      return `contains ${formatLiteral(test.literal)}`;
    case 'eq':
    case 'ne':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return `${OPERATORS[test.kind]} ${formatLiteral(test.literal)}`;
    default:
      return unreachable(test);
  }
}

function formatStep(step: string | number, index: number): string {
  if (typeof step === 'number') return `[${step}]`;
  const isPlain = PLAIN_NAME.test(step) && !isPredicateWord(step);
  return `${index === 0 ? '' : '.'}${isPlain ? step : quoted(step, '"')}`;
}

function quoted(text: string, quote: string): string {
  return quote + text.replaceAll(quote, quote + quote) + quote;
}
