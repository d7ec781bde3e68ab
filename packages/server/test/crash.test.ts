import t, { type Test } from 'tap';
import { CrashRun, WITH_PROCESSORS } from './crash-run.js';
import { RunningServer } from './running-server.js';
import { SEED } from './seeded-random.js';

const CYCLES = 4;
const CYCLE_MS = 1500;

t.test(
  `CRASH-1, CRASH-2, CRASH-3, CRASH-4: kill -9 under load, ${CYCLES} times (seed ${SEED})`,
  async (t) => {
    const run = await runOn(t);
    for (let cycle = 0; cycle < CYCLES; cycle++) await run.cycle('kill');
    await run.conclude();
    t.same(run.ledger.violations, [], JSON.stringify(run.ledger.counts));
    const { fast, safe, reads } = run.ledger.counts;
    t.ok(run.agreements > 0, 'memory and table were compared with nothing dirty');
    t.ok(fast > 0 && safe > 0 && reads > 0, 'there was a load of every kind');
  },
);

t.test(
  `CRASH-6: a worker killed under load, and mostly the process after it (seed ${SEED})`,
  async (t) => {
    const run = await runOn(t);
    for (let cycle = 0; cycle < CYCLES; cycle++) await run.cycle('worker');
    await run.conclude();
    requireHeld(t, run);
  },
);

async function runOn(t: Test): Promise<CrashRun> {
  const server = await RunningServer.start(t, { args: ['--workers', '2', ...WITH_PROCESSORS] });
  return new CrashRun({ server, seed: SEED, cycleMs: CYCLE_MS });
}

/** The promises were kept, and asked for. */
function requireHeld(t: Test, { ledger, agreements }: CrashRun): void {
  t.same(ledger.violations, [], JSON.stringify(ledger.counts));
  const { fast, safe, reads } = ledger.counts;
  t.ok(fast > 0 && safe > 0 && reads > 0, 'there was a load of every kind');
  t.ok(agreements > 0, 'memory and table were compared with nothing dirty');
}
