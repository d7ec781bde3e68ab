import fc from 'fast-check';
import { Query } from 'mingo';
import sift from 'sift';
import t from 'tap';
import { compilePredicate } from '#lib/query/evaluate.js';
import type { Field, Literal, Predicate, QueriedRecord } from '#lib/query/predicate.js';
import { compareText } from '#lib/query/text-order.js';
import { documentOf, mongoQuery } from './mongo-query.js';
import { anyPredicate, anyRecord, PLAIN } from './predicate-arbitraries.js';
import { SEED } from './seeded-random.js';

const RUNS = 40_000;

/** Where MongoDB's language means something else: docs/formats/predicate.md, "Other evaluators". */
type Difference = 'arrays' | 'null' | 'text order' | 'properties';

type Evaluator = (predicate: Predicate, record: QueriedRecord) => boolean;

const EVALUATORS: Record<string, { evaluate: Evaluator; differences: readonly Difference[] }> = {
  mingo: {
    evaluate: (predicate, record) => new Query(mongoQuery(predicate)).test(documentOf(record)),
    differences: ['arrays', 'null', 'text order'],
  },
  sift: {
    evaluate: (predicate, record) => sift.default(mongoQuery(predicate))(documentOf(record)),
    differences: ['arrays', 'null', 'text order', 'properties'],
  },
};

type Test = Exclude<Predicate, { kind: 'all' | 'any' | 'not' }>;

function testsOf(predicate: Predicate): readonly Test[] {
  if (predicate.kind === 'not') return testsOf(predicate.predicate);
  if (predicate.kind === 'all' || predicate.kind === 'any')
    return predicate.predicates.flatMap(testsOf);
  return [predicate];
}

/** The values that the steps of a field come by, the last one last; fewer where it is missing. */
function trailOf(field: Field, record: QueriedRecord): unknown[] {
  if (field.kind !== 'value') return [field.kind === 'key' ? record.key : record.stampMs];
  const trail = [record.value];
  for (const step of field.steps) {
    const value = trail[trail.length - 1];
    if (typeof value !== 'object' || value === null) break;
    if (Array.isArray(value) !== (typeof step === 'number') || !Object.hasOwn(value, step)) break;
    trail.push((value as Record<string | number, unknown>)[step]);
  }
  return trail;
}

function literalsOf(test: Test): readonly Literal[] {
  if ('literals' in test) return test.literals;
  if ('literal' in test) return [test.literal];
  return 'low' in test ? [test.low, test.high] : [];
}

/** Which known differences may show in a test of a record. */
function differencesOf(test: Test, record: QueriedRecord): Difference[] {
  const trail = trailOf(test.field, record);
  const last = trail[trail.length - 1];
  const steps = test.field.kind === 'value' ? test.field.steps : [];
  const isMissing = trail.length <= steps.length;
  const step = isMissing ? steps[trail.length - 1] : undefined;
  const literals = literalsOf(test);
  const found: Difference[] = [];
  if (Array.isArray(last)) {
    const isLookedInto =
      test.kind === 'contains' ? last.some(Array.isArray) : !isMissing && test.kind !== 'exists';
    if (typeof step === 'string' || isLookedInto) found.push('arrays');
    if (step === 'length') found.push('properties');
  }
  if (typeof last === 'string' && step !== undefined) found.push('properties');
  if (isMissing && literals.includes(null) && test.kind !== 'contains') found.push('null');
  if (typeof last === 'string' && literals.some((literal) => isOrderedOtherwise(last, literal)))
    found.push('text order');
  return found;
}

function isOrderedOtherwise(text: string, literal: Literal): boolean {
  return typeof literal === 'string' && compareText(text, literal) < 0 !== text < literal;
}

for (const [name, { evaluate, differences }] of Object.entries(EVALUATORS))
  t.test(`PRED-9: ${name} answers the same, apart from listed differences`, async (t) => {
    const disagreements = new Map<Difference, number>();
    let compared = 0;
    let matched = 0;
    const property = fc.property(anyPredicate(PLAIN), anyRecord(PLAIN), (predicate, record) => {
      const ours = compilePredicate(predicate)(record);
      const theirs = evaluate(predicate, record);
      const possible = testsOf(predicate).flatMap((test) => differencesOf(test, record));
      const known = new Set(possible.filter((difference) => differences.includes(difference)));
      if (known.size === 0) {
        compared++;
        if (ours) matched++;
        return ours === theirs;
      }
      if (ours !== theirs && known.size === 1) {
        const [difference] = known;
        disagreements.set(difference, (disagreements.get(difference) ?? 0) + 1);
      }
      return true;
    });
    const details = fc.check(property, { seed: SEED, numRuns: RUNS });
    t.notOk(details.failed, fc.defaultReportMessage(details) ?? `${compared} compared`);
    t.ok(compared > RUNS * 0.7, `${compared} of ${RUNS} pairs were compared`);
    t.ok(matched > RUNS * 0.1, `${matched} of them matched`);
    for (const difference of differences)
      t.ok(disagreements.has(difference), `${difference}: ${disagreements.get(difference) ?? 0}`);
  });
