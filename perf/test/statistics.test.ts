import t from 'tap';
import { interleaved, median } from '#lib/measure/statistics.js';

t.test('PERF-6: sides take turns A B B A, each as often as the other', async (t) => {
  t.same(interleaved(3), ['ours', 'theirs', 'theirs', 'ours', 'ours', 'theirs']);
  for (const rounds of [3, 4, 5, 8]) {
    const order = interleaved(rounds);
    t.equal(order.filter((side) => side === 'ours').length, rounds);
    t.equal(order.length, 2 * rounds);
  }
});

t.test('PERF-7: the median is the middle value, or the mean of the middle two', async (t) => {
  t.equal(median([5, 1, 9]), 5);
  t.equal(median([10, 9, 1, 2]), 5.5);
  t.ok(Number.isNaN(median([])));
});
