import t from 'tap';
import { type Minute, partsOf, soakFaults } from '#lib/scenarios/soak-minutes.js';

const MINUTES = 30;

function minutesOf(change: (minute: number) => Partial<Minute>): Minute[] {
  return Array.from({ length: MINUTES }, (_, index) => ({
    minute: index + 1,
    rssBytes: 1000,
    storeBytes: 1000,
    dirty: 0,
    p999Micros: 100,
    acked: 1,
    refused: 0,
    faults: [],
    ...change(index + 1),
  }));
}

t.test('PERF-44: a soak compares its end with what followed the warm-up', async (t) => {
  const growing = minutesOf((minute) => ({ rssBytes: 100 * minute }));
  t.same(partsOf(growing), {
    before: { firstMinute: 7, lastMinute: 12, rssBytes: 950, storeBytes: 1000 },
    after: { firstMinute: 25, lastMinute: 30, rssBytes: 2750, storeBytes: 1000 },
  });
  const two = partsOf(growing.slice(0, 2));
  t.equal(two.before.lastMinute, 1);
  t.equal(two.after.firstMinute, 2);
});

t.test(
  'PERF-45: a store that grows after the warm-up, and a minute without load, are faults',
  async (t) => {
    t.same(soakFaults(minutesOf(() => ({}))), []);
    t.same(soakFaults(minutesOf((minute) => ({ storeBytes: minute < 5 ? 1 : 1000 }))), []);
    t.match(soakFaults(minutesOf((minute) => ({ storeBytes: 1000 + 10 * minute }))), [
      /store grew/,
    ]);
    t.match(soakFaults(minutesOf((minute) => ({ acked: minute === 9 ? 0 : 1 }))), [/1 minutes/]);
  },
);
