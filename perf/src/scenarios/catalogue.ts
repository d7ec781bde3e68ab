import type { Scenario } from '../measure/scenario.js';
import { connectionCurve } from './connection-curve.js';
import { hostileMix } from './hostile-mix.js';
import { fastWrites } from './p1-fast-writes.js';
import { fastWritesBare } from './p1b-fast-writes-bare.js';
import { batchedWrites } from './p2-batched-writes.js';
import { unpipelinedWrites } from './p3-unpipelined-writes.js';
import { writeCost } from './p4-write-cost.js';
import { fanOut } from './p5-fan-out.js';
import { predicates } from './p6-predicates.js';
import { storeSize } from './p7-store-size.js';
import { writeBehind } from './p8-write-behind.js';
import { safeLatency } from './p9-safe-latency.js';
import { databaseStopped } from './p10-database-stopped.js';
import { recordBytes } from './p11-record-bytes.js';
import { recovery } from './p12-recovery.js';
import { ringHandOff } from './p13-ring-hand-off.js';
import { openLoopLatency } from './p14-open-loop-latency.js';
import { steadyTail } from './p15-steady-tail.js';
import { overload } from './p16-overload.js';
import { stalledSubscribers } from './p17-stalled-subscribers.js';
import { idleConnections } from './p18-idle-connections.js';
import { killedWorker } from './p19-killed-worker.js';
import { resumption } from './p20-resumption.js';
import { gets } from './p21-gets.js';
import { safeWrites } from './p22-safe-writes.js';
import { twoWorkers } from './p23-two-workers.js';
import { restart } from './restart.js';
import { soak } from './soak.js';
import { COMPARISONS } from './versus.js';
import { YCSB } from './ycsb.js';

/** All figures of the goals, in their order, then what runs only by name. */
export const SCENARIOS: readonly Scenario[] = [
  fastWrites,
  fastWritesBare,
  batchedWrites,
  unpipelinedWrites,
  writeCost,
  fanOut,
  predicates,
  storeSize,
  writeBehind,
  safeLatency,
  databaseStopped,
  recordBytes,
  recovery,
  ringHandOff,
  openLoopLatency,
  steadyTail,
  overload,
  stalledSubscribers,
  idleConnections,
  killedWorker,
  resumption,
  gets,
  safeWrites,
  twoWorkers,
  ...YCSB,
  soak,
  hostileMix,
  connectionCurve,
  restart,
  ...COMPARISONS,
];
