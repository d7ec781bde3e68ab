import { type Field, NOT_JSON, type Predicate, type QueriedRecord } from '#lib/query/predicate.js';

/**
 * What docs/formats/predicate.md says, as plainly as can be: three truths (undefined: neither, the
 * value is no JSON), regular expressions for `like`, texts as arrays of code points.
 */
export function matches(predicate: Predicate, record: QueriedRecord): boolean {
  return truth(predicate, record) === true;
}

function truth(predicate: Predicate, record: QueriedRecord): boolean | undefined {
  if (predicate.kind === 'not') {
    const inner = truth(predicate.predicate, record);
    return inner === undefined ? undefined : !inner;
  }
  if (predicate.kind === 'all' || predicate.kind === 'any') {
    const decider = predicate.kind === 'any';
    const truths = predicate.predicates.map((child) => truth(child, record));
    if (truths.includes(decider)) return decider;
    return truths.includes(undefined) ? undefined : !decider;
  }
  if (predicate.field.kind === 'value' && record.value === NOT_JSON) return undefined;
  return holds(predicate, valueAt(predicate.field, record));
}

function valueAt(field: Field, record: QueriedRecord): unknown {
  if (field.kind !== 'value') return field.kind === 'key' ? record.key : record.stampMs;
  return field.steps.reduce<unknown>((value, step) => {
    const isFit = typeof step === 'number' ? Array.isArray(value) : isObject(value);
    if (!isFit) return undefined;
    return Object.getOwnPropertyDescriptor(value, step)?.value;
  }, record.value);
}

function isObject(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Object]';
}

type Test = Exclude<Predicate, { kind: 'all' | 'any' | 'not' }>;

function holds(test: Test, value: unknown): boolean {
  switch (test.kind) {
    case 'exists':
      return value !== undefined;
    case 'in':
      return test.literals.some((literal) => value === literal);
    case 'contains':
      return Array.isArray(value) && value.some((element) => element === test.literal);
    case 'prefix':
      return typeof value === 'string' && value.indexOf(test.text) === 0;
    case 'like':
      return typeof value === 'string' && patternOf(test.text).test(value);
    case 'between':
      return (
        (order(value, test.low) ?? Number.NaN) >= 0 && (order(value, test.high) ?? Number.NaN) <= 0
      );
    default: {
      const sign = order(value, test.literal);
      if (sign === undefined) return test.kind === 'eq' && value === test.literal;
      return {
        eq: sign === 0,
        ne: sign !== 0,
        lt: sign < 0,
        le: sign <= 0,
        gt: sign > 0,
        ge: sign >= 0,
      }[test.kind];
    }
  }
}

/** Negative, 0 or positive; undefined if the two cannot be compared. Booleans: only whether equal. */
function order(left: unknown, right: unknown): number | undefined {
  if (typeof left === 'number' && typeof right === 'number')
    return left === right ? 0 : left > right ? 1 : -1;
  if (typeof left === 'boolean' && typeof right === 'boolean') return left === right ? 0 : 1;
  if (typeof left === 'string' && typeof right === 'string') return compareCodePoints(left, right);
  return undefined;
}

export function compareCodePoints(left: string, right: string): number {
  const others = Array.from(right, (character) => character.codePointAt(0)!);
  for (const [i, character] of [...left].entries()) {
    if (i >= others.length) return 1;
    const difference = character.codePointAt(0)! - others[i];
    if (difference !== 0) return difference;
  }
  return [...left].length - others.length;
}

function patternOf(pattern: string): RegExp {
  const parts = [...pattern].map((character) => {
    if (character === '%') return '[^]*';
    return character === '_' ? '[^]' : `\\u{${character.codePointAt(0)!.toString(16)}}`;
  });
  return new RegExp(`^${parts.join('')}$`, 'u');
}
