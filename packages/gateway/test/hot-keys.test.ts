import t from 'tap';
import { HotKeys } from '#lib/operation/hot-keys.js';
import { DURATION_BOUNDS, Durations } from '#lib/telemetry/durations.js';
import { SEED, SeededRandom } from './seeded-random.js';

t.test('ADMIN-7: the hottest keys are found, and none is shown as less than it is', async (t) => {
  const random = new SeededRandom(SEED);
  const keys = new HotKeys();
  const met = { hot: 0, warm: 0 };
  const count = 4000;
  for (let i = 0; i < count; i++) {
    const dice = random.below(100);
    if (dice < 20) met.hot++;
    else if (dice < 25) met.warm++;
    keys.meet('m', dice < 20 ? 'hot' : dice < 25 ? 'warm' : `cold ${random.below(100_000)}`);
  }
  const top = keys.top(20);
  t.equal(top.length, 20);
  t.match(top[0], { map: 'm', key: 'hot' });
  t.match(top[1], { map: 'm', key: 'warm' });
  t.ok(top[0].share >= met.hot / count);
  t.ok(top[1].share >= met.warm / count);
  t.ok(top[0].share < met.hot / count + 1 / 100, 'and hardly more');
});

t.test('ADMIN-7: what was asked long ago fades', async (t) => {
  const keys = new HotKeys();
  for (let i = 0; i < 4096; i++) keys.meet('m', 'then');
  for (let i = 0; i < 4 * 4096; i++) keys.meet('m', `now ${i % 3}`);
  t.match(
    keys
      .top(3)
      .map(({ key }) => key)
      .sort(),
    ['now 0', 'now 1', 'now 2'],
  );
});

t.test('ADMIN-7: of many operations about one in 256 is looked at, in no rhythm', async (t) => {
  const keys = new HotKeys();
  const byRemainder = [0, 0, 0, 0];
  const count = 2_560_000;
  for (let i = 0; i < count; i++) if (keys.isDue()) byRemainder[i % 4]++;
  const due = byRemainder.reduce((sum, each) => sum + each);
  t.ok(Math.abs(due - count / 256) < 500, `${due}`);
  for (const part of byRemainder) t.ok(Math.abs(part - due / 4) < 300, `${part}`);
});

t.test('ADMIN-8: durations are counted in buckets', async (t) => {
  const durations = new Durations();
  durations.add(0);
  durations.add(0.0005);
  durations.add(1e9);
  for (const bound of DURATION_BOUNDS) durations.add(bound * 1000);
  const counts = [...durations.counts];
  t.equal(counts[0], 3);
  t.same(
    counts.slice(1),
    DURATION_BOUNDS.map(() => 1),
  );
});
