import { isDeepStrictEqual } from 'node:util';
import { create } from '@bufbuild/protobuf';
import { PredicateSchema } from '@tidewire/schemas';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import * as Limits from '#lib/limits.js';
import { accessPlanOf } from '#lib/query/access-plan.js';
import { canonicalPredicate } from '#lib/query/canonical.js';
import { compilePredicate } from '#lib/query/evaluate.js';
import { type Field, type Predicate, PredicateError } from '#lib/query/predicate.js';
import {
  decodeField,
  decodePredicate,
  encodeField,
  encodePredicate,
  fieldMessageOf,
  fieldOf,
  messageOf,
  predicateOf,
} from '#lib/query/predicate-codec.js';
import { anyField, anyPredicate, anyRecord, FULL } from './predicate-arbitraries.js';
import { holds } from './property.js';
import { mutateFrame } from './random-frame.js';
import {
  A_IS_1,
  number,
  numberLiteral,
  part,
  rawNested,
  step,
  TEST,
  text,
} from './raw-predicate.js';
import { SEED, SeededRandom } from './seeded-random.js';

const A: Field = { kind: 'value', steps: ['a'] };
const IS_ONE: Predicate = { kind: 'eq', field: A, literal: 1 };

/** Runs what must throw a PredicateError, and returns it. */
function refusal(t: Test, run: () => unknown): PredicateError {
  try {
    run();
  } catch (error) {
    if (error instanceof PredicateError) return error;
    throw error;
  }
  t.fail('nothing was refused');
  return new PredicateError('');
}

t.test('PRED-20: every predicate and field comes back from its bytes', async (t) => {
  holds(
    t,
    fc.property(anyPredicate(FULL), (predicate) =>
      isDeepStrictEqual(decodePredicate(encodePredicate(predicate)), predicate),
    ),
    10_000,
  );
  holds(
    t,
    fc.property(anyPredicate(FULL), (predicate) =>
      isDeepStrictEqual(predicateOf(messageOf(predicate)), predicate),
    ),
  );
  holds(
    t,
    fc.property(anyField(FULL), (field) =>
      isDeepStrictEqual(decodeField(encodeField(field)), field),
    ),
  );
  t.same(fieldOf(fieldMessageOf(A)), A);
});

/** A kind of predicate that grows: in memory, and on the wire. */
interface Growing {
  readonly limit: number;
  readonly predicate: (size: number) => Predicate;
  readonly bytes: (size: number) => Uint8Array;
  readonly message: RegExp;
}

function times<T>(count: number, item: (i: number) => T): T[] {
  return Array.from({ length: count }, (_, i) => item(i));
}

function nested(depth: number): Predicate {
  let predicate = IS_ONE;
  for (let i = 1; i < depth; i++) predicate = { kind: 'not', predicate };
  return predicate;
}

const GROWING: Record<string, Growing> = {
  depth: {
    limit: Limits.PREDICATE_DEPTH_MAX,
    predicate: nested,
    bytes: rawNested,
    message: /^not(\.not)*: nested deeper than 16 levels$/,
  },
  nodes: {
    limit: Limits.PREDICATE_NODES_MAX,
    predicate: (size) => ({ kind: 'any', predicates: times(size - 1, () => IS_ONE) }),
    bytes: (size) => part(TEST.any, ...times(size - 1, () => part(1, A_IS_1))),
    message: /^any\[63\]: more than 64 tests$/,
  },
  literals: {
    limit: Limits.PREDICATE_LITERALS_MAX,
    predicate: (size) => ({ kind: 'in', field: A, literals: times(size, (i) => i) }),
    bytes: (size) =>
      part(TEST.in, part(1, step('a')), ...times(size, (i) => part(2, numberLiteral(i)))),
    message: /^in: more than 256 literals$/,
  },
  steps: {
    limit: Limits.PATH_STEPS_MAX,
    predicate: (size) => ({
      kind: 'exists',
      field: { kind: 'value', steps: times(size, () => 0) },
    }),
    bytes: (size) => part(TEST.exists, ...times(size, () => step(0))),
    message: /^exists: the field has 17 steps, limit 16$/,
  },
  'length of a name': {
    limit: Limits.KEY_BYTES_MAX,
    predicate: (size) => ({ kind: 'exists', field: { kind: 'value', steps: [longName(size)] } }),
    bytes: (size) => part(TEST.exists, step(longName(size))),
    message: /^exists: the name is longer than 1024 bytes$/,
  },
  'length of a pattern': {
    limit: Limits.LIKE_BYTES_MAX,
    predicate: (size) => ({ kind: 'like', field: A, text: '_'.repeat(size) }),
    bytes: (size) => part(TEST.like, part(1, step('a')), text(2, '_'.repeat(size))),
    message: /^like: patterns of more than 256 bytes in all$/,
  },
  'number of patterns': {
    limit: Limits.LIKE_BYTES_MAX / Limits.LIKE_BYTES_COUNTED_MIN,
    predicate: (size) => ({
      kind: 'any',
      predicates: times(size, () => ({ kind: 'like', field: A, text: '%_%' })),
    }),
    bytes: (size) =>
      part(
        TEST.any,
        ...times(size, () => part(1, part(TEST.like, part(1, step('a')), text(2, '%_%')))),
      ),
    message: /^any\[8\]\.like: patterns of more than 256 bytes in all$/,
  },
  bytes: {
    limit: Limits.PREDICATE_BYTES_MAX,
    predicate: (size) => ({ kind: 'eq', field: A, literal: 'x'.repeat(size - 16) }),
    bytes: (size) => part(TEST.eq, part(1, step('a')), part(2, text(2, 'x'.repeat(size - 16)))),
    message: /^predicate: 8193 bytes long, limit 8192$/,
  },
};

/** Two bytes a character, so that UTF-16 units do not tell the length. */
function longName(bytes: number): string {
  return 'é'.repeat(bytes >> 1) + 'a'.repeat(bytes & 1);
}

for (const [what, { limit, predicate, bytes, message }] of Object.entries(GROWING))
  t.test(`PRED-21: ${what} at the limit is taken, beyond it too large`, async (t) => {
    t.same(encodePredicate(predicate(limit)), bytes(limit));
    t.same(decodePredicate(bytes(limit)), predicate(limit));
    for (const run of [
      () => encodePredicate(predicate(limit + 1)),
      () => decodePredicate(bytes(limit + 1)),
    ]) {
      const error = refusal(t, run);
      t.match(error.message, message);
      t.ok(error.isTooLarge);
    }
  });

t.test('PRED-22: what is missing or unknown is refused with its place', async (t) => {
  const a = part(1, step('a'));
  const one = part(2, numberLiteral(1));
  const unknown = text(16, 'x');
  for (const [bytes, message] of [
    [Buffer.of(), 'predicate: the test is missing'],
    [part(TEST.all, part(1, A_IS_1), part(1)), 'all[1]: the test is missing'],
    [part(TEST.not), 'not: the test is missing'],
    [
      part(TEST.any, part(1, part(TEST.not, part(TEST.eq, one)))),
      'any[0].not.eq: the field is missing',
    ],
    [part(TEST.eq, a), 'eq: the literal is missing'],
    [part(TEST.eq, a, part(2)), 'eq: the literal is empty'],
    [part(TEST.between, a, one), 'between: the literal is missing'],
    [part(TEST.exists, part(2)), 'exists: a step of the field is empty'],
    [
      part(TEST.exists, number(1, 1), step('a')),
      'exists: a field of the record itself has no steps',
    ],
    [part(TEST.exists, number(1, 3)), 'exists: record field 3 is not known here'],
    [unknown, 'predicate: part 16 of the message is not known here'],
    [Buffer.concat([A_IS_1, unknown]), 'predicate: part 16 of the message is not known here'],
    [part(TEST.all, unknown), 'all: part 16 of the message is not known here'],
    [part(TEST.eq, a, one, unknown), 'eq: part 16 of the message is not known here'],
    [
      part(TEST.eq, part(1, step('a'), unknown), one),
      'eq: part 16 of the message is not known here',
    ],
    [
      part(TEST.eq, a, part(2, numberLiteral(1), unknown)),
      'eq: part 16 of the message is not known here',
    ],
    [
      part(TEST.exists, part(2, text(1, 'a'), unknown)),
      'exists: part 16 of the message is not known here',
    ],
    [
      part(TEST.like, a, part(2, Buffer.of(0xff))),
      'predicate: not a Protobuf message of this kind',
    ],
    [A_IS_1.subarray(0, -1), 'predicate: not a Protobuf message of this kind'],
  ] as const) {
    const error = refusal(t, () => decodePredicate(bytes));
    t.equal(error.message, message);
    t.notOk(error.isTooLarge);
  }
});

t.test('PRED-22: a literal or text that has no place in a test is refused', async (t) => {
  const key: Field = { kind: 'key' };
  const stamp: Field = { kind: 'stamp' };
  for (const [predicate, message] of [
    [{ kind: 'eq', field: A, literal: Number.NaN }, 'eq: NaN equals nothing'],
    [{ kind: 'in', field: A, literals: [1, Number.NaN] }, 'in: NaN equals nothing'],
    [{ kind: 'lt', field: A, literal: null }, 'lt: null has no order'],
    [{ kind: 'ge', field: A, literal: true }, 'ge: true has no order'],
    [{ kind: 'between', field: A, low: 1, high: null }, 'between: null has no order'],
    [
      { kind: 'between', field: A, low: 1, high: 'x' },
      'between: both ends must be numbers or both texts',
    ],
    [{ kind: 'eq', field: key, literal: 1 }, 'eq: $key is text, 1 is not'],
    [{ kind: 'in', field: key, literals: ['a', null] }, 'in: $key is text, null is not'],
    [{ kind: 'gt', field: stamp, literal: 'x' }, 'gt: $stamp is a number, the literal is not'],
    [{ kind: 'prefix', field: stamp, text: '1' }, 'prefix: $stamp is a number, not text'],
    [{ kind: 'like', field: stamp, text: '1' }, 'like: $stamp is a number, not text'],
    [{ kind: 'contains', field: key, literal: 'a' }, 'contains: $key is not an array'],
    [{ kind: 'contains', field: stamp, literal: 1 }, 'contains: $stamp is not an array'],
    [
      { kind: 'eq', field: A, literal: 'a\ud800' },
      'eq: the literal has a lone surrogate, which no UTF-8 text has',
    ],
    [
      { kind: 'exists', field: { kind: 'value', steps: ['\udc00'] } },
      'exists: the name has a lone surrogate, which no UTF-8 text has',
    ],
    [
      { kind: 'exists', field: { kind: 'value', steps: [-1] } },
      'exists: -1 is not the index of an element',
    ],
    [
      { kind: 'not', predicate: { kind: 'exists', field: { kind: 'value', steps: [0.5] } } },
      'not.exists: 0.5 is not the index of an element',
    ],
  ] as [Predicate, string][]) {
    const error = refusal(t, () => encodePredicate(predicate));
    t.equal(error.message, message);
    t.notOk(error.isTooLarge);
  }
  const bytes = part(TEST.eq, part(1, step('a')), part(2, numberLiteral(Number.NaN)));
  t.equal(refusal(t, () => decodePredicate(bytes)).message, 'eq: NaN equals nothing');
});

t.test(
  'PRED-23: nesting of any depth ends in a refusal, not in the end of the stack',
  async (t) => {
    const depth = 10_000;
    const tooDeep = (run: () => unknown) => t.ok(refusal(t, run).isTooLarge);
    tooDeep(() => encodePredicate(nested(depth)));
    let deepest = A_IS_1;
    while (deepest.length < Limits.PREDICATE_BYTES_MAX - 3) deepest = part(TEST.not, deepest);
    tooDeep(() => decodePredicate(deepest));
    let message = create(PredicateSchema);
    for (let i = 0; i < depth; i++)
      message = create(PredicateSchema, { test: { case: 'not', value: message } });
    tooDeep(() => predicateOf(message));

    const startGroup = [0x83, 0x01]; // of unknown field 16, one in the other
    const groups = Uint8Array.from(times(4000, () => startGroup).flat());
    t.ok(refusal(t, () => decodePredicate(groups)));
    t.ok(refusal(t, () => decodeField(groups)));
  },
);

t.test(
  'PRED-23: damaged and random bytes give a sound predicate or a PredicateError',
  async (t) => {
    const random = new SeededRandom(SEED);
    const predicates = fc.sample(anyPredicate(FULL), { numRuns: 500, seed: SEED });
    const records = fc.sample(anyRecord(FULL), { numRuns: 20, seed: SEED });
    let accepted = 0;
    let refused = 0;
    for (let i = 0; i < 20_000; i++) {
      const whole = encodePredicate(random.pick(predicates));
      const bytes = random.chance(80) ? mutateFrame(whole, random) : random.bytes(random.below(60));
      try {
        const predicate = decodePredicate(bytes);
        const canonical = canonicalPredicate(predicate);
        decodePredicate(encodePredicate(canonical));
        accessPlanOf(canonical);
        compilePredicate(predicate)(random.pick(records));
        accepted++;
      } catch (error) {
        if (!(error instanceof PredicateError)) throw error;
        refused++;
      }
    }
    t.ok(accepted > 1000 && refused > 5000, `${accepted} accepted, ${refused} refused`);
  },
);

t.test('PRED-24: a field must be a place that a record can have', async (t) => {
  t.same(decodeField(Buffer.of()), { kind: 'value', steps: [] }, 'the whole value');
  t.same(decodeField(number(1, 2)), { kind: 'stamp' });
  for (const [bytes, message] of [
    [part(2), 'field: a step of the field is empty'],
    [number(1, 9), 'field: record field 9 is not known here'],
    [text(9, ''), 'field: part 9 of the message is not known here'],
    [Buffer.concat(times(17, () => step(1))), 'field: the field has 17 steps, limit 16'],
  ] as const)
    t.equal(refusal(t, () => decodeField(bytes)).message, message);
  t.ok(refusal(t, () => encodeField({ kind: 'value', steps: [1e10] })));
  t.ok(refusal(t, () => decodeField(new Uint8Array(Limits.PREDICATE_BYTES_MAX + 1))).isTooLarge);
});
