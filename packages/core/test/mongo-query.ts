import { unreachable } from '#lib/assert.js';
import type { Field, Literal, Predicate, QueriedRecord } from '#lib/query/predicate.js';

/** A predicate as a query in the language of MongoDB, for evaluators that speak it. */

type Query = Record<string, unknown>;

const NEVER: Query = { $nor: [{}] };

export function documentOf(record: QueriedRecord): Query {
  return { key: record.key, stamp: record.stampMs, value: record.value };
}

export function mongoQuery(predicate: Predicate): Query {
  switch (predicate.kind) {
    case 'all':
      return predicate.predicates.length === 0
        ? {}
        : { $and: predicate.predicates.map(mongoQuery) };
    case 'any':
      return predicate.predicates.length === 0
        ? NEVER
        : { $or: predicate.predicates.map(mongoQuery) };
    case 'not':
      return { $nor: [mongoQuery(predicate.predicate)] };
    case 'ne':
      return differs(pathOf(predicate.field), predicate.literal);
    default:
      return { [pathOf(predicate.field)]: condition(predicate) };
  }
}

export function pathOf(field: Field): string {
  return field.kind === 'value' ? ['value', ...field.steps].join('.') : field.kind;
}

/** MongoDB's $ne holds for other types and missing fields, too. */
function differs(path: string, literal: Literal): Query {
  if (literal === null) return NEVER;
  if (typeof literal === 'boolean') return { [path]: { $eq: !literal } };
  return { $or: [{ [path]: { $lt: literal } }, { [path]: { $gt: literal } }] };
}

const OPERATORS = { eq: '$eq', lt: '$lt', le: '$lte', gt: '$gt', ge: '$gte' } as const;

type Test = Exclude<Predicate, { kind: 'all' | 'any' | 'not' }>;

function condition(test: Test): Query {
  switch (test.kind) {
    case 'exists':
      return { $exists: true };
    case 'in':
      return { $in: test.literals };
    case 'between':
      return { $gte: test.low, $lte: test.high };
    case 'prefix':
      return { $regex: new RegExp(`^${source(test.text)}`, 'u') };
    case 'like':
      return { $regex: new RegExp(`^${[...test.text].map(wildcard).join('')}$`, 'u') };
    case 'contains':
      return { $elemMatch: { $eq: test.literal } };
    case 'eq':
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return { [OPERATORS[test.kind]]: test.literal };
    case 'ne':
      throw new Error('ne is written by two comparisons');
    default:
      return unreachable(test as never);
  }
}

function source(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}

function wildcard(character: string): string {
  if (character === '%') return '[^]*';
  return character === '_' ? '[^]' : source(character);
}
