import type { Scenario } from '../measure/scenario.js';
import { RedisBench } from './redis-bench.js';

export const unpipelinedWrites: Scenario = {
  id: 'P3',
  title: 'P1 unpipelined, 64 connections ÷ Redis SET, the same',
  unit: 'writes/s',
  bar: 0.8,
  goal: 1.2,
  better: 'higher',
  open: (context) => RedisBench.open(context, { subscribers: 1, connections: 64, window: 1 }),
};
