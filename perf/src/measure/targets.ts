import type { LoadPlan } from '../load/plan.js';
import { SEED } from '../load/random.js';
import { EchoServer } from '../peers/echo.js';
import { RedisServer } from '../peers/redis.js';
import { TidewireServer } from '../server-under-test.js';
import { watchFlush } from './flush-watch.js';

/** What a scenario says of its load; the rest is the same for all. */
export type LoadShape = Partial<Omit<LoadPlan, 'dialect' | 'port'>>;

/** A running server and the load meant for it. */
export interface Target {
  readonly pid: number;
  readonly plan: LoadPlan;
  /** Watches the server over a run; what is returned ends that and tells what was seen. */
  watch?(): () => Promise<Seen>;
  stop(): Promise<void>;
}

export interface Seen {
  readonly notes: readonly string[];
  readonly faults: readonly string[];
}

/** The goals' load: 8 connections × 64 in flight, 16-byte keys, 100-byte values, 100 k keys. */
const COMMON: Omit<LoadPlan, 'dialect' | 'port'> = {
  connections: 8,
  window: 64,
  operationsPerFrame: 1,
  keys: 100_000,
  distribution: 'uniform',
  getShare: 0,
  valueBytes: 100,
  stamped: true,
  safe: false,
  subscribers: 0,
  seed: SEED,
};

/** With `writesBehind` the write-behind is watched, and drained after every run. */
export async function tidewireTarget(
  shape: LoadShape,
  options: { writesBehind: boolean } = { writesBehind: true },
): Promise<Target & { server: TidewireServer }> {
  const server = await TidewireServer.start();
  const plan: LoadPlan = { ...COMMON, ...shape, dialect: 'tidewire', port: server.port };
  const target = { pid: server.pid, plan, server, stop: () => server.stop() };
  if (!options.writesBehind) return target;
  return { ...target, watch: () => watchFlush(server, plan.keys) };
}

/** Redis knows no frames, stamps or events: the same keys, values and windows. */
export async function redisTarget(shape: LoadShape): Promise<Target & { redis: RedisServer }> {
  const redis = await RedisServer.start();
  const plain = { operationsPerFrame: 1, subscribers: 0 };
  const plan: LoadPlan = { ...COMMON, ...shape, ...plain, dialect: 'resp', port: redis.port };
  return { pid: redis.pid, plan, redis, stop: () => redis.stop() };
}

export async function echoTarget(shape: LoadShape): Promise<Target> {
  const server = await EchoServer.start();
  const plan: LoadPlan = {
    ...COMMON,
    ...shape,
    subscribers: 0,
    dialect: 'echo',
    port: server.port,
  };
  return { pid: server.pid, plan, stop: () => server.stop() };
}
