import t from 'tap';
import { killWorkers } from './kill-run.js';
import { SEED, SeededRandom } from './seeded-random.js';

t.test(
  'POOL-9: workers may die at any time: nothing is lost, told twice, counted twice or torn, and the table equals memory',
  async (t) => {
    t.comment(`SEED=${SEED}`);
    const random = new SeededRandom(SEED);
    const report = await killWorkers({ kills: 30, writers: 16, subscriptions: 1000, random });
    t.same(report.faultsFound, []);
    t.ok(report.kills >= 30);
    t.ok(report.writes > 1000);
    t.ok(report.events >= report.writes);
    t.ok(report.stored > 100);
  },
);
