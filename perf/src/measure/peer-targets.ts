import type { DialectName, LoadPlan } from '../load/plan.js';
import { DeepstreamServer } from '../peers/deepstream.js';
import { NatsServer } from '../peers/nats.js';
import { PostgresServer } from '../peers/postgres.js';
import { type RedisLog, RedisServer } from '../peers/redis.js';
import { COMMON, type LoadShape, type Target } from './targets.js';

/** What a user would pick instead, running, with the load meant for it. */
export interface PeerTarget extends Target {
  /** Keys that it holds by its own count; undefined: it cannot tell. */
  countKeys?(): Promise<number>;
  /** Writes since its start by its own count. */
  countWrites?(): Promise<number>;
}

export async function redisPublishTarget(shape: LoadShape, log: RedisLog): Promise<PeerTarget> {
  const redis = await RedisServer.start(log);
  return {
    pid: redis.pid,
    plan: planOf('redis-publish', redis.port, shape),
    countKeys: () => redis.info('db0'),
    countWrites: () => redis.calls('set'),
    stop: () => redis.stop(),
  };
}

export async function natsTarget(shape: LoadShape): Promise<PeerTarget> {
  const nats = await NatsServer.start();
  return {
    pid: nats.pid,
    plan: planOf('nats', nats.port, shape),
    countKeys: () => nats.countKeys(),
    countWrites: () => nats.countWrites(),
    stop: () => nats.stop(),
  };
}

/** Nobody is told of a row: no subscriber. */
export async function postgresTarget(shape: LoadShape): Promise<PeerTarget> {
  const postgres = await PostgresServer.start();
  return {
    pid: postgres.pid,
    plan: planOf('postgres', postgres.port, { ...shape, subscribers: 0 }),
    countKeys: () => postgres.countKeys(),
    stop: () => postgres.stop(),
  };
}

export async function deepstreamTarget(shape: LoadShape): Promise<PeerTarget> {
  const deepstream = await DeepstreamServer.start();
  return {
    pid: deepstream.pid,
    plan: planOf('deepstream', deepstream.port, shape),
    stop: () => deepstream.stop(),
  };
}

function planOf(dialect: DialectName, port: number, shape: LoadShape): LoadPlan {
  return { ...COMMON, ...shape, dialect, port };
}
