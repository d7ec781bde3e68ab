import fc from 'fast-check';
import {
  type Field,
  type Literal,
  NOT_JSON,
  type Predicate,
  type QueriedRecord,
} from '#lib/query/predicate.js';

/** Few names and literals, so that fields are found and tests hold often enough. */
const PLAIN_NAMES = ['a', 'b', 'tags', 'length'];
const ODD_NAMES = ['__proto__', 'constructor', 'In', 'odd "name"', 'é', '', '$key', 'a.b'];
const NUMBERS = [-1, -0, 0, 1, 1.5, 2, 1e21, 5e-324, Infinity, -Infinity];
const TEXTS = ['', 'a', 'ab', 'abc', 'b', 'a%', "it's", 'Ab', '\u{1f600}', 'a\u{1f600}b', '\uffff'];
const LONE_TEXTS = ['\ud83d', 'a\ude00', '\ud83d\u{1f600}'];
const PATTERNS = ['%', 'a%', '%b', '_', 'a_b', '%a%b%', '__', '_%', '%%_', 'a', '', '%\u{1f600}_'];

/** What a run of random cases is made of. */
export interface Vocabulary {
  readonly names: readonly string[];
  readonly texts: readonly string[];
  /** Whether a record's value may be no JSON. */
  readonly hasOpaque: boolean;
}

/** All there is, also what other systems cannot express. */
export const FULL: Vocabulary = {
  names: [...PLAIN_NAMES, ...ODD_NAMES],
  texts: [...TEXTS, ...LONE_TEXTS],
  hasOpaque: true,
};
export const PLAIN: Vocabulary = { names: PLAIN_NAMES, texts: TEXTS, hasOpaque: false };

const number = fc.constantFrom(...NUMBERS);
const text = fc.constantFrom(...TEXTS);
const literal: fc.Arbitrary<Literal> = fc.oneof(
  number,
  text,
  fc.boolean(),
  fc.constant<Literal>(null),
);

export function anyField(vocabulary: Vocabulary): fc.Arbitrary<Field> {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom<string | number>(...vocabulary.names) },
    { weight: 1, arbitrary: fc.constantFrom<string | number>(0, 1, 2) },
  );
  const steps = fc.array(step, { maxLength: 3 });
  return fc.oneof(
    { weight: 1, arbitrary: fc.constant<Field>({ kind: 'key' }) },
    { weight: 1, arbitrary: fc.constant<Field>({ kind: 'stamp' }) },
    { weight: 6, arbitrary: steps.map((steps): Field => ({ kind: 'value', steps })) },
  );
}

/** Sound predicates of up to 40 nodes. */
export function anyPredicate(vocabulary: Vocabulary): fc.Arbitrary<Predicate> {
  const test = anyField(vocabulary).chain(anyTest);
  const { predicate } = fc.letrec<{ predicate: Predicate }>((tie) => {
    const predicates = fc.array(tie('predicate'), { maxLength: 3 });
    const group = fc
      .tuple(fc.constantFrom('all', 'any'), predicates)
      .map(([kind, predicates]): Predicate => ({ kind, predicates }));
    const not = tie('predicate').map((predicate): Predicate => ({ kind: 'not', predicate }));
    return {
      predicate: fc.oneof(
        { maxDepth: 3 },
        { weight: 3, arbitrary: test },
        { weight: 2, arbitrary: group },
        { weight: 1, arbitrary: not },
      ),
    };
  });
  return predicate;
}

function anyTest(field: Field): fc.Arbitrary<Predicate> {
  const exists = fc.constant<Predicate>({ kind: 'exists', field });
  if (field.kind === 'stamp') return fc.oneof(exists, ...comparisons(field, number, number));
  const texts = fc.oneof(
    text.map((text): Predicate => ({ kind: 'prefix', field, text })),
    fc.constantFrom(...PATTERNS).map((text): Predicate => ({ kind: 'like', field, text })),
  );
  if (field.kind === 'key') return fc.oneof(exists, texts, ...comparisons(field, text, text));
  const contains = literal.map((literal): Predicate => ({ kind: 'contains', field, literal }));
  const ordered = fc.oneof(number, text);
  return fc.oneof(exists, texts, contains, ...comparisons(field, literal, ordered));
}

function comparisons(
  field: Field,
  equal: fc.Arbitrary<Literal>,
  order: fc.Arbitrary<number | string>,
): fc.Arbitrary<Predicate>[] {
  const equality = fc.tuple(fc.constantFrom('eq', 'ne'), equal);
  const ordering = fc.tuple(fc.constantFrom('lt', 'le', 'gt', 'ge'), order);
  const comparison = fc
    .oneof(equality, ordering)
    .map(([kind, literal]) => ({ kind, field, literal }) as Predicate);
  const ends = fc.tuple(order, order).filter(([low, high]) => typeof low === typeof high);
  return [
    comparison,
    ends.map(([low, high]): Predicate => ({ kind: 'between', field, low, high })),
    fc
      .array(equal, { maxLength: 4 })
      .map((literals): Predicate => ({ kind: 'in', field, literals })),
  ];
}

export function anyRecord(vocabulary: Vocabulary): fc.Arbitrary<QueriedRecord> {
  const value = anyValue(vocabulary);
  return fc.record({
    key: fc.constantFrom('a', 'ab', 'b', '\u{1f600}'),
    stampMs: fc.constantFrom(0, 1, 2, 1_771_286_400_000),
    value: vocabulary.hasOpaque
      ? fc.oneof({ weight: 6, arbitrary: value }, { weight: 1, arbitrary: fc.constant(NOT_JSON) })
      : value,
  });
}

/** What JSON.parse gives. */
export function anyValue(vocabulary: Vocabulary): fc.Arbitrary<unknown> {
  const scalar: fc.Arbitrary<unknown> = fc.oneof(
    number,
    fc.constantFrom(...vocabulary.texts),
    fc.boolean(),
    fc.constant(null),
  );
  const { value } = fc.letrec<{ value: unknown }>((tie) => {
    const member = fc.tuple(fc.constantFrom(...vocabulary.names), tie('value'));
    // As JSON.parse does, this makes `__proto__` a member like any other.
    const object = fc.array(member, { maxLength: 4 }).map((members) => Object.fromEntries(members));
    return {
      value: fc.oneof(
        { maxDepth: 3 },
        { weight: 3, arbitrary: scalar },
        { weight: 4, arbitrary: object },
        { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 3 }) },
      ),
    };
  });
  return value;
}
