import t from 'tap';
import { SEED, SeededRandom } from './seeded-random.js';
import { SimulatedWorld } from './simulated-world.js';

const RUNS = process.env['TIDEWIRE_LONG_TESTS'] === '1' ? 200 : 8;
const STEPS = 400;

t.test(
  'SUB-47: clients that come, go, stall and resume hold what stands, whatever dies meanwhile',
  async (t) => {
    let [restarts, lags, catchUps] = [0, 0, 0];
    for (let run = 0; run < RUNS; run++) {
      t.comment(`seed ${SEED + run}`);
      const world = new SimulatedWorld(new SeededRandom(SEED + run));
      for (let step = 1; step <= STEPS; step++) {
        world.step();
        if (step % 80 === 0) world.converge();
      }
      world.close();
      const { subscriptionCounts: counts } = world.bench.gateway;
      t.match(counts, { topics: 0, lagging: 0, catchingUp: 0 }, 'nothing is left behind');
      restarts += world.restarts;
      lags += counts.lags;
      catchUps += counts.catchUps;
    }
    t.ok(restarts > 0 && lags > 0 && catchUps > 0, `${restarts} ${lags} ${catchUps}`);
  },
);
