import type { LoadPlan } from '../load/plan.js';
import { SEED } from '../load/random.js';
import { EchoServer } from '../peers/echo.js';
import { RedisServer } from '../peers/redis.js';
import { TidewireServer } from '../server-under-test.js';
import { type Expected, watchFlush } from './flush-watch.js';

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
export const COMMON: Omit<LoadPlan, 'dialect' | 'port'> = {
  connections: 8,
  window: 64,
  operationsPerFrame: 1,
  keys: 100_000,
  distribution: 'uniform',
  firstKey: 0,
  getShare: 0,
  modifyShare: 0,
  valueBytes: 100,
  stamped: true,
  safe: false,
  subscribers: 0,
  subscription: 'map',
  predicates: 0,
  seed: SEED,
  token: '',
};

/** The goals' load, with what `shape` says otherwise. */
export function planOf(shape: LoadShape, place: Pick<LoadPlan, 'dialect' | 'port'>): LoadPlan {
  return { ...COMMON, ...shape, ...place };
}

export interface TidewireOptions extends Partial<Expected> {
  /** Watch the write-behind, and wait for it after every run; unless said otherwise, yes. */
  readonly writesBehind?: boolean;
  /** As for `start`. */
  readonly flags?: readonly string[];
  readonly preload?: URL;
}

export interface TidewireTarget extends Target {
  readonly server: TidewireServer;
}

/** Unless `keys` says otherwise, the server is expected to hold the keys of the plan. */
export async function tidewireTarget(
  shape: LoadShape,
  options: TidewireOptions = {},
): Promise<TidewireTarget> {
  const server = await TidewireServer.start(options.flags, options.preload);
  const plan: LoadPlan = { ...COMMON, ...shape, dialect: 'tidewire', port: server.port };
  const target = { pid: server.pid, plan, server, stop: () => server.stop() };
  if (options.writesBehind === false) return target;
  return { ...target, watch: () => watchFlush(server, { keys: plan.keys, ...options }) };
}

export interface RedisTarget extends Target {
  readonly redis: RedisServer;
}

/** Redis knows no frames, stamps or events: the same keys, values and windows. */
export async function redisTarget(shape: LoadShape): Promise<RedisTarget> {
  const redis = await RedisServer.start();
  const plain = { operationsPerFrame: 1, subscribers: 0 };
  const plan: LoadPlan = { ...COMMON, ...shape, ...plain, dialect: 'resp', port: redis.port };
  return { pid: redis.pid, plan, redis, stop: () => redis.stop() };
}

export async function echoTarget(shape: LoadShape, preload?: URL): Promise<Target> {
  const server = await EchoServer.start(preload);
  const plan: LoadPlan = {
    ...COMMON,
    ...shape,
    subscribers: 0,
    dialect: 'echo',
    port: server.port,
  };
  return { pid: server.pid, plan, stop: () => server.stop() };
}
