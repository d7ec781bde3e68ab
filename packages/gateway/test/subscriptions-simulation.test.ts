import fc from 'fast-check';
import t from 'tap';
import { SEED } from './seeded-random.js';
import { anyHistory, type Step } from './simulated-actions.js';
import { SimulatedWorld } from './simulated-world.js';

const RUNS = process.env['TIDEWIRE_LONG_TESTS'] === '1' ? 400 : 30;
const CONVERGE_STEPS = 80;
/** Of shrinking, too: what is printed then is the shortest found so far. */
const TIME_MS_MAX = 50_000;

t.setTimeout(0); // the runner's own limit is enough

t.test(
  `SUB-47: clients that come, go, stall and resume hold what stands, whatever dies meanwhile (seed ${SEED})`,
  async (t) => {
    const seen = new Map<string, number>();
    const property = fc.property(anyHistory, (history) => {
      const world = play(history);
      for (const [what, count] of Object.entries(world.seen))
        seen.set(what, (seen.get(what) ?? 0) + count);
    });
    const isLong = RUNS > 100;
    const details = fc.check(property, {
      seed: SEED,
      numRuns: RUNS,
      includeErrorInReport: true,
      ...(isLong ? {} : { interruptAfterTimeLimit: TIME_MS_MAX }),
    });
    t.notOk(details.failed, fc.defaultReportMessage(details) ?? `${details.numRuns} histories`);
    if (details.failed) return;
    for (const [what, count] of seen) t.ok(count > 0, `${what}: ${count}`);
  },
);

function play(history: readonly Step[]): SimulatedWorld {
  const world = new SimulatedWorld();
  for (const [i, step] of history.entries()) {
    world.step(step);
    if (i % CONVERGE_STEPS === CONVERGE_STEPS - 1) world.converge();
  }
  world.converge();
  world.close();
  return world;
}
