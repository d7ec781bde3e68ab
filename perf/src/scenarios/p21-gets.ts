import type { Scenario } from '../measure/scenario.js';
import { RedisBench } from './redis-bench.js';

export const gets: Scenario = {
  id: 'P21',
  title: 'GET, 8 × 64 in flight ÷ Redis GET, the same',
  unit: 'gets/s',
  bar: 0.5,
  goal: 1,
  better: 'higher',
  open: (context) => RedisBench.open(context, { getShare: 1 }),
};
