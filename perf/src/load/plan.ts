import type { Distribution } from './distribution.js';
import type { Account } from './ledger.js';
import { MATCHES } from './predicate-load.js';

/** Long enough for everything that is only late. */
const DRAIN_MS = 5000;

export type DialectName =
  | 'tidewire'
  | 'resp'
  | 'echo'
  | 'redis-publish'
  | 'nats'
  | 'postgres'
  | 'deepstream';

/** What a load process is to do; sent to it once. */
export interface LoadPlan {
  readonly dialect: DialectName;
  readonly port: number;
  readonly connections: number;
  /** Requests in flight on a connection. */
  readonly window: number;
  readonly operationsPerFrame: number;
  readonly keys: number;
  /** Number of the first key of `sequential`. */
  readonly firstKey: number;
  readonly distribution: Distribution;
  /** Share of gets, 0 to 1; the rest are puts. */
  readonly getShare: number;
  /** Share of the gets that are followed by a put of the same key once they are answered. */
  readonly modifyShare: number;
  readonly valueBytes: number;
  /** Writes carry the client's stamp, as the client library's do; else the server stamps them. */
  readonly stamped: boolean;
  /** Ask for SAFE answers. */
  readonly safe: boolean;
  /** Connections that subscribe and send nothing. */
  readonly subscribers: number;
  /**
   * To the whole map, each to a key of its own that nobody writes, or to `predicates` that are
   * shared out among them.
   */
  readonly subscription: 'map' | 'key' | 'predicates';
  /** Predicates registered, and numbers in the values for them to match; 0: none. */
  readonly predicates: number;
  readonly seed: number;
  /** Of Hello; empty: none. */
  readonly token: string;
}

/** Events that all subscribers together get of one applied write. */
export function eventsPerWrite(plan: LoadPlan): number {
  if (plan.subscribers === 0 || plan.subscription === 'key') return 0;
  return plan.subscription === 'predicates' ? MATCHES : plan.subscribers;
}

/** One run on the open connections. */
export interface RunPlan {
  /** Runs before the measured window opens. */
  readonly settleMs: number;
  readonly measureMs: number;
  /** Operations per second by the clock (open loop); 0: as fast as answers come (closed loop). */
  readonly rate: number;
  /** Requests in flight on a connection, at most the plan's; 0: as many as those. */
  readonly window: number;
  /** Stop after this many operations, whatever the time; 0: by time. */
  readonly operations: number;
  /** At the end, how long to wait for answers and events that are due. */
  readonly drainMs: number;
  /** Processes whose CPU time is taken at both ends of the window, their children included. */
  readonly watch: readonly number[];
}

/** CPU seconds of one thread over the window. */
export interface ThreadCpu {
  readonly process: number;
  readonly thread: number;
  readonly name: string;
  readonly seconds: number;
}

/** To write or read so many operations, however long it takes. */
export function runOf(operations: number): RunPlan {
  return {
    settleMs: 0,
    measureMs: 0,
    rate: 0,
    window: 0,
    operations,
    drainMs: DRAIN_MS,
    watch: [],
  };
}

export interface LoadReport {
  /** Length of the measured window. */
  readonly seconds: number;
  /** Operations acked within it. */
  readonly acked: number;
  readonly clientCpuSeconds: number;
  readonly cpu: readonly ThreadCpu[];
  /** Everything from the first request to the last answer, settling and draining included. */
  readonly account: Account;
  readonly events: { readonly received: number; readonly disordered: number };
  /** Events received within the window by all subscribers together. */
  readonly delivered: number;
  /** Microseconds from sending (closed loop) or from the intended time (open loop). */
  readonly latency: readonly LatencyPoint[];
  /** Acked per second, one point each 100 ms of the window. */
  readonly series: readonly number[];
}

export interface LatencyPoint {
  readonly percentile: number;
  readonly micros: number;
}

export type ToLoad =
  | { readonly type: 'open'; readonly plan: LoadPlan }
  | { readonly type: 'run'; readonly run: RunPlan };

export type FromLoad =
  | { readonly type: 'opened' }
  | { readonly type: 'report'; readonly report: LoadReport }
  | { readonly type: 'failed'; readonly message: string };
