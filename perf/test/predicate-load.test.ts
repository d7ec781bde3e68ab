import t from 'tap';
import { familiesOf, MATCHES, NUMBER_BASE, predicateAt } from '#lib/load/predicate-load.js';

const KEYS = 1000;

/** By the definition, not by the server's evaluation. */
function matches(predicate: ReturnType<typeof predicateAt>, values: Record<string, number>) {
  const { test } = predicate;
  if (test?.case !== 'between' && test?.case !== 'eq') throw new Error('another kind of predicate');
  const step = test.value.field?.steps?.[0]?.step;
  const value = values[step?.case === 'name' ? step.value : ''];
  const number = (literal: { literal?: { value?: unknown } } | undefined): number =>
    Number(literal?.literal?.value);
  if (test.case === 'eq') return value === number(test.value.literal);
  return number(test.value.low) <= value && value <= number(test.value.high);
}

t.test('PERF-80: of any number of predicates exactly four match a value', async (t) => {
  for (const count of [10, 11, 100, 999]) {
    const { ranges, moduli } = familiesOf(count);
    t.equal(ranges[0] + ranges[1] + moduli[0] + moduli[1], count, `there are ${count}`);
    const all = Array.from({ length: count }, (_, index) => predicateAt(index, count, KEYS));
    const distinct = new Set(all.map((predicate) => JSON.stringify(predicate)));
    t.equal(distinct.size, count, 'all different');
    const wrong = Array.from({ length: KEYS }, (_, key) => key).filter((key) => {
      const values = {
        n: NUMBER_BASE + key,
        a: NUMBER_BASE + (key % moduli[0]),
        b: NUMBER_BASE + (key % moduli[1]),
      };
      return all.filter((predicate) => matches(predicate, values)).length !== MATCHES;
    });
    t.same(wrong, [], `each of ${KEYS} values matches ${MATCHES}`);
  }
});
