import type { Scenario } from '../measure/scenario.js';
import { fastWrites } from './p1-fast-writes.js';
import { fastWritesBare } from './p1b-fast-writes-bare.js';
import { batchedWrites } from './p2-batched-writes.js';
import { unpipelinedWrites } from './p3-unpipelined-writes.js';
import { writeCost } from './p4-write-cost.js';
import { recordBytes } from './p11-record-bytes.js';
import { ringHandOff } from './p13-ring-hand-off.js';
import { gets } from './p21-gets.js';

type Limits = Pick<Scenario, 'bar' | 'goal' | 'better' | 'unit'>;

const WRITES = 'writes/s';

/** All figures of the goals, in their order; what cannot be measured yet says what it needs. */
export const SCENARIOS: readonly Scenario[] = [
  fastWrites,
  fastWritesBare,
  batchedWrites,
  unpipelinedWrites,
  writeCost,
  later(
    'P5',
    'deliveries of one hot map to 1,000 subscribers ÷ raw publish',
    atLeast(0.8, 0.95, 'deliveries/s'),
    'its scenario with 1,000 subscribers, not built yet',
  ),
  later(
    'P6',
    'writes with 10,000 predicates registered ÷ with 10',
    atLeast(0.5, 0.9, WRITES),
    'predicates (continuous queries), not built yet',
  ),
  later(
    'P7',
    'writes at 1,000,000 stored keys ÷ at 1,000',
    atLeast(0.6, 0.9, WRITES),
    'its scenario at two store sizes, not built yet',
  ),
  later(
    'P8',
    'write-behind of distinct rows ÷ raw COPY',
    atLeast(0.4, 0.6, 'rows/s'),
    'its scenario against raw COPY, not built yet',
  ),
  later(
    'P9',
    'SAFE ack latency p50, idle ÷ one-row commit',
    atMost(2, 1.2, 'µs'),
    'its scenario against one-row commits, not built yet',
  ),
  later(
    'P10',
    'FAST overwrites with Postgres stopped ÷ with Postgres up',
    atLeast(1, 1.2, WRITES),
    'its scenario that stops Postgres, not built yet',
  ),
  recordBytes,
  later(
    'P12',
    'recovery of 1 M records ÷ plain streaming SELECT',
    atLeast(0.5, 0.8, 'rows/s'),
    'its scenario that restarts the server, not built yet',
  ),
  ringHandOff,
  later(
    'P14',
    'open-loop p99 at 50 % of saturation ÷ raw uWebSockets echo',
    atMost(3, 1.5, 'µs'),
    'its open-loop scenario, not built yet',
  ),
  later(
    'P15',
    'p99.9 ÷ p50 over 5 minutes at 50 % load ÷ raw echo',
    atMost(3, 1.5, 'quotient'),
    'its five-minute open-loop scenario, not built yet',
  ),
  later(
    'P16',
    'goodput at 2× overload ÷ own peak',
    atLeast(0.85, 0.95, WRITES),
    'its overload scenario, not built yet',
  ),
  later(
    'P17',
    'writes with 5 % of subscribers stalled ÷ with none',
    atLeast(0.9, 0.99, WRITES),
    'slow-consumer catch-up, not built yet',
  ),
  later(
    'P18',
    'memory per idle connection of 10 k ÷ raw uWebSockets',
    atMost(2, 1.3, 'B'),
    'its scenario with 10,000 idle connections, not built yet',
  ),
  later(
    'P19',
    'time until a killed worker answers and delivers again',
    atMost(500, 50, 'ms'),
    'the restart of a dead worker, not built yet',
  ),
  later(
    'P20',
    'bytes to reconnect 1,000 subscribers ÷ full snapshots',
    atMost(0.1, 0.02, 'B'),
    'resuming from a cursor, not built yet',
  ),
  gets,
  later(
    'P22',
    'SAFE acked writes, 1,024 in flight ÷ multi-row upserts',
    atLeast(0.6, 0.9, WRITES),
    'its scenario against multi-row upserts, not built yet',
  ),
  later(
    'P23',
    'writes with two workers ÷ with one',
    atLeast(0.95, 1.1, WRITES),
    'its scenario with two workers, not built yet',
  ),
];

function atLeast(bar: number, goal: number, unit: string): Limits {
  return { bar, goal, unit, better: 'higher' };
}

function atMost(bar: number, goal: number, unit: string): Limits {
  return { bar, goal, unit, better: 'lower' };
}

function later(id: string, title: string, limits: Limits, needs: string): Scenario {
  return { id, title, ...limits, open: needs };
}
