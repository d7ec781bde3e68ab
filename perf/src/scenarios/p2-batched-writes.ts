import type { Scenario } from '../measure/scenario.js';
import { RedisBench } from './redis-bench.js';

/** The window stays at 64 operations, as Redis has it: four frames of 16. */
export const batchedWrites: Scenario = {
  id: 'P2',
  title: 'P1 with 16 operations a frame ÷ Redis SET',
  unit: 'writes/s',
  bar: 1,
  goal: 2,
  better: 'higher',
  open: (context) => RedisBench.open(context, { subscribers: 1, operationsPerFrame: 16 }),
};
