import assert from 'node:assert/strict';
import { PREDICATE_TEXT_MAX } from '#lib/limits.js';
import { accessPlanOf } from '#lib/query/access-plan.js';
import { canonicalPredicate } from '#lib/query/canonical.js';
import { compilePredicate } from '#lib/query/evaluate.js';
import {
  NOT_JSON,
  type Predicate,
  PredicateError,
  type QueriedRecord,
} from '#lib/query/predicate.js';
import { decodePredicate, encodePredicate } from '#lib/query/predicate-codec.js';
import { formatPredicate } from '#lib/query/predicate-format.js';
import { parsePredicate } from '#lib/query/predicate-text.js';

const RECORDS: readonly QueriedRecord[] = [
  { key: 'a', stampMs: 1, value: { a: 1, b: ['x', null, true], c: { a: 'text' } } },
  { key: '', stampMs: 0, value: [] },
  { key: 'user:1', stampMs: 1e12, value: 'text' },
  { key: 'b', stampMs: 2, value: NOT_JSON },
];

/** Refuses what is not sound, and holds what is sound to the rules of docs/formats/predicate.md. */
export function fuzz(data: Buffer): void {
  const predicate = decoded(new Uint8Array(data));
  if (predicate === undefined) return;
  assert.deepEqual(decodePredicate(encodePredicate(predicate)), predicate);
  const canonical = canonicalPredicate(predicate);
  assert.deepEqual(canonicalPredicate(canonical), canonical);
  const text = formatPredicate(canonical);
  if (text.length <= PREDICATE_TEXT_MAX) assert.deepEqual(parsePredicate(text), canonical);
  accessPlanOf(canonical);
  const [holds, holdsToo] = [compilePredicate(predicate), compilePredicate(canonical)];
  for (const record of RECORDS) assert.equal(holds(record), holdsToo(record));
}

/** Undefined: refused, as it should be. */
function decoded(bytes: Uint8Array): Predicate | undefined {
  try {
    return decodePredicate(bytes);
  } catch (error) {
    if (error instanceof PredicateError) return undefined;
    throw error;
  }
}
