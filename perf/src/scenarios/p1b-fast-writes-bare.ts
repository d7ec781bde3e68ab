import type { Scenario } from '../measure/scenario.js';
import { RedisBench } from './redis-bench.js';

export const fastWritesBare: Scenario = {
  id: 'P1b',
  title: 'P1 with write-behind and subscriber off ÷ Redis SET',
  unit: 'writes/s',
  bar: 0.6,
  goal: 1,
  better: 'higher',
  open: (context) => RedisBench.open(context, {}, { writesBehind: false }),
};
