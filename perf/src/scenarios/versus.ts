import {
  deepstreamTarget,
  natsTarget,
  type PeerTarget,
  postgresTarget,
  redisPublishTarget,
} from '../measure/peer-targets.js';
import type { Scenario } from '../measure/scenario.js';
import type { LoadShape } from '../measure/targets.js';
import { VersusBench } from './versus-bench.js';

/** One writer and one subscriber to everything. */
const ONE_WRITER: LoadShape = { connections: 1, window: 64, subscribers: 1 };
/** Few enough keys that a peer with a commit for each can be filled in seconds. */
const DURABLE: LoadShape = { ...ONE_WRITER, safe: true, keys: 10_000 };
/** Peers whose subscribers name every key. */
const NAMED_KEYS: LoadShape = { ...ONE_WRITER, keys: 1000 };

/** What a user would pick instead: comparisons without a bar, each run by its name. */
export const COMPARISONS: readonly Scenario[] = [
  versus('redis-publish', 'FAST ÷ Redis SET + PUBLISH, nothing on disk', ONE_WRITER, (shape) =>
    redisPublishTarget(shape, 'off'),
  ),
  versus('redis-always', 'SAFE ÷ Redis SET + PUBLISH, appendfsync always', DURABLE, (shape) =>
    redisPublishTarget(shape, 'always'),
  ),
  versus('nats', 'FAST ÷ NATS JetStream key-value with a watcher', ONE_WRITER, natsTarget),
  versus(
    'deepstream',
    'FAST ÷ deepstream records, uWebSockets build',
    NAMED_KEYS,
    deepstreamTarget,
  ),
  versus('postgres', 'SAFE ÷ raw Postgres upserts, pipelined commits', DURABLE, postgresTarget),
];

function versus(
  peer: string,
  what: string,
  shape: LoadShape,
  start: (shape: LoadShape) => Promise<PeerTarget>,
): Scenario {
  return {
    id: `vs-${peer}`,
    title: `one writer × 64, one subscriber: ${what}`,
    unit: 'writes/s',
    bar: 0,
    goal: 1,
    better: 'higher',
    isByNameOnly: true,
    open: (context) => VersusBench.open(context, shape, start),
  };
}
