import type { Scenario } from '../measure/scenario.js';
import { RedisBench } from './redis-bench.js';

/** 64 frames in flight, as Redis has 64 commands; 64 × 16 is all that a connection may have open. */
export const batchedWrites: Scenario = {
  id: 'P2',
  title: 'P1 with 16 operations a frame, 8 × 64 frames in flight ÷ Redis SET',
  unit: 'writes/s',
  bar: 1,
  goal: 2,
  better: 'higher',
  open: (context) =>
    RedisBench.open(
      context,
      { subscribers: 1 },
      { ours: { window: 1024, operationsPerFrame: 16 } },
    ),
};
