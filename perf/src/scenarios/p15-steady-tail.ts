import { percentileOf } from '../measure/latency-figure.js';
import type { Scenario } from '../measure/scenario.js';
import { OpenLoopBench } from './open-loop-bench.js';

const MEASURE_MS = 300_000;
const MEASURE_MS_QUICK = 10_000;
const RECORDS = 1_000_000;
const RECORDS_QUICK = 100_000;
/** A million changed records take the database longer than P1 may. */
const DRAIN_MS_MAX = 120_000;

export const steadyTail: Scenario = {
  id: 'P15',
  title: 'p99.9 ÷ p50 over 5 min at 50 % load, 1 M records (--quick: 10 s, 100 k) ÷ raw echo',
  unit: 'quotient',
  bar: 3,
  goal: 1.5,
  better: 'lower',
  isByNameOnly: true,
  rounds: 1,
  open: (context) =>
    OpenLoopBench.open(context, {
      shape: { keys: context.isQuick ? RECORDS_QUICK : RECORDS },
      figure: (load) => percentileOf(load, 99.9) / percentileOf(load, 50),
      measureMs: context.isQuick ? MEASURE_MS_QUICK : MEASURE_MS,
      drainMsMax: DRAIN_MS_MAX,
    }),
};
