import type { Field, Literal, Predicate } from './predicate.js';
import { formatLiteral, formatPredicate } from './predicate-format.js';
import { compareText } from './text-order.js';

/** Holds for every record. */
const ALWAYS: Predicate = { kind: 'all', predicates: [] };
/** Holds for none. */
const NEVER: Predicate = { kind: 'any', predicates: [] };

/**
 * The one form of all predicates that mean the same by the rules of docs/formats/predicate.md: it
 * matches the same records and is never larger. The canonical form of a canonical form is itself.
 */
export function canonicalPredicate(predicate: Predicate): Predicate {
  switch (predicate.kind) {
    case 'all':
    case 'any':
      return canonicalGroup(predicate.kind, predicate.predicates);
    case 'not':
      return negated(canonicalPredicate(predicate.predicate));
    case 'in':
      return canonicalIn(predicate.field, predicate.literals);
    case 'between':
      return canonicalBetween(predicate);
    case 'prefix':
      return canonicalPrefix(predicate.field, predicate.text);
    case 'like':
      return canonicalLike(predicate.field, predicate.text);
    case 'exists':
      return predicate.field.kind === 'value' ? predicate : ALWAYS;
    case 'ne':
      return canonicalNe(predicate.field, predicate.literal);
    default:
      return { ...predicate, literal: positiveZero(predicate.literal) };
  }
}

function canonicalGroup(kind: 'all' | 'any', members: readonly Predicate[]): Predicate {
  const decider = kind === 'all' ? NEVER : ALWAYS;
  const byText = new Map<string, Predicate>();
  for (const child of members) {
    const canonical = canonicalPredicate(child);
    if (isEmptyGroup(canonical, decider.kind)) return decider;
    const parts = canonical.kind === kind ? canonical.predicates : [canonical];
    for (const part of parts) byText.set(formatPredicate(part), part);
  }
  const predicates = [...byText.keys()].sort().map((text) => byText.get(text)!);
  return predicates.length === 1 ? predicates[0] : { kind, predicates };
}

function negated(predicate: Predicate): Predicate {
  if (predicate.kind === 'not') return predicate.predicate;
  if (isEmptyGroup(predicate, 'all')) return NEVER;
  if (isEmptyGroup(predicate, 'any')) return ALWAYS;
  return { kind: 'not', predicate };
}

function isEmptyGroup(predicate: Predicate, kind: Predicate['kind']): boolean {
  const isGroup = predicate.kind === 'all' || predicate.kind === 'any';
  return isGroup && predicate.kind === kind && predicate.predicates.length === 0;
}

/**
 * A test that no value passes. Of the value it is not NEVER: negated it holds for JSON alone, while
 * the negation of NEVER holds for every record.
 */
function neverOf(field: Field): Predicate {
  return field.kind === 'value' ? { kind: 'in', field, literals: [] } : NEVER;
}

function canonicalIn(field: Field, literals: readonly Literal[]): Predicate {
  const byText = new Map<string, Literal>();
  for (const literal of literals.map(positiveZero)) byText.set(formatLiteral(literal), literal);
  const sorted = [...byText.keys()].sort().map((text) => byText.get(text)!);
  if (sorted.length === 0) return neverOf(field);
  if (sorted.length === 1) return { kind: 'eq', field, literal: sorted[0] };
  return { kind: 'in', field, literals: sorted };
}

function canonicalNe(field: Field, literal: Literal): Predicate {
  if (literal === null) return neverOf(field);
  if (typeof literal === 'boolean') return { kind: 'eq', field, literal: !literal };
  return { kind: 'ne', field, literal: positiveZero(literal) };
}

function canonicalBetween(test: Extract<Predicate, { kind: 'between' }>): Predicate {
  const { field } = test;
  const low = positiveZero(test.low);
  const high = positiveZero(test.high);
  if (low === high) return { kind: 'eq', field, literal: low };
  const isEmpty =
    typeof low === 'string'
      ? compareText(low, high as string) > 0
      : (low as number) > (high as number);
  return isEmpty ? neverOf(field) : { kind: 'between', field, low, high };
}

function canonicalPrefix(field: Field, text: string): Predicate {
  return text === '' && field.kind === 'key' ? ALWAYS : { kind: 'prefix', field, text };
}

/** Within a run of wildcards only the number of _ counts, and whether there is a %. */
function canonicalLike(field: Field, text: string): Predicate {
  const pattern = text.replace(/[%_]*%[%_]*/g, (run) => `${run.replaceAll('%', '')}%`);
  const wildcard = pattern.search(/[%_]/);
  if (wildcard < 0) return { kind: 'eq', field, literal: pattern };
  if (wildcard === pattern.length - 1 && pattern.endsWith('%'))
    return canonicalPrefix(field, pattern.slice(0, -1));
  return { kind: 'like', field, text: pattern };
}

/** −0 equals 0. */
function positiveZero(literal: Literal): Literal {
  return literal === 0 ? 0 : literal;
}
