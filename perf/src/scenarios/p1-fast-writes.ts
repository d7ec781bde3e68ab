import type { Scenario } from '../measure/scenario.js';
import { RedisBench } from './redis-bench.js';

/** Everything on: conflict rule, write-behind to Postgres, a subscriber that gets every event. */
export const fastWrites: Scenario = {
  id: 'P1',
  title: 'acked FAST writes, 8 × 64 in flight, one subscriber, write-behind on ÷ Redis SET',
  unit: 'writes/s',
  bar: 0.4,
  goal: 1,
  better: 'higher',
  open: (context) => RedisBench.open(context, { subscribers: 1 }),
};
