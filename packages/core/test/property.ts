import fc from 'fast-check';
import type { Test } from 'tap';
import { SEED } from './seeded-random.js';

/** Checks a property by a fixed seed; a counterexample becomes the assertion's text. */
export function holds<T>(t: Test, property: fc.IProperty<T>, numRuns = 1000): void {
  const details = fc.check(property, { seed: SEED, numRuns });
  t.notOk(details.failed, fc.defaultReportMessage(details) ?? `holds in ${numRuns} runs`);
}
