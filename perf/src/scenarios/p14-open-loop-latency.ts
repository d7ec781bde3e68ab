import { percentileOf } from '../measure/latency-figure.js';
import type { Scenario } from '../measure/scenario.js';
import { OpenLoopBench } from './open-loop-bench.js';

export const openLoopLatency: Scenario = {
  id: 'P14',
  title: 'open-loop p99 at 50 % of own saturation ÷ raw uWebSockets echo at the same rate',
  unit: 'µs',
  bar: 3,
  goal: 1.5,
  better: 'lower',
  open: (context) =>
    OpenLoopBench.open(context, {
      shape: {},
      figure: (load) => percentileOf(load, 99),
      measureMs: context.measureMs,
    }),
};
