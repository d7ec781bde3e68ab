import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { Scenario } from '../measure/scenario.js';
import { tidewireTarget } from '../measure/targets.js';

/** On two cores a second worker has none of its own: it must at least cost nothing. */
export const twoWorkers: Scenario = {
  id: 'P23',
  title: "writes of P1's load with two workers ÷ with one",
  unit: 'writes/s',
  bar: 0.95,
  goal: 1.1,
  better: 'higher',
  open: (context) =>
    LoadBench.open(
      {
        ours: () => tidewireTarget({ subscribers: 1 }, { flags: ['--workers', '2'] }),
        theirs: () => tidewireTarget({ subscribers: 1 }, { flags: ['--workers', '1'] }),
      },
      ackedPerSecond,
      context,
    ),
};
