import t from 'tap';
import { CrashRun } from './crash-run.js';
import { RunningServer } from './running-server.js';
import { SEED } from './seeded-random.js';

const CYCLES = 4;
const CYCLE_MS = 1500;

t.test(
  `CRASH-1, CRASH-2, CRASH-3, CRASH-4: kill -9 under load, ${CYCLES} times (seed ${SEED})`,
  async (t) => {
    const server = await RunningServer.start(t);
    const run = new CrashRun({ server, seed: SEED, cycleMs: CYCLE_MS });
    for (let cycle = 0; cycle < CYCLES; cycle++) await run.cycle('kill');
    t.same(run.ledger.violations, [], JSON.stringify(run.ledger.counts));
    const { fast, safe, reads } = run.ledger.counts;
    t.ok(fast > 0 && safe > 0 && reads > 0, 'there was a load of every kind');
  },
);
