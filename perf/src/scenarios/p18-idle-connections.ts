import { setTimeout as sleep } from 'node:timers/promises';
import { LoadClient } from '../load/load-client.js';
import type { LoadPlan } from '../load/plan.js';
import { CollectedMemory } from '../measure/collected-memory.js';
import { Issuer } from '../measure/issuer.js';
import { residentBytesOf } from '../measure/process-cpu.js';
import type { Bench, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import {
  echoTarget,
  type Target,
  type TidewireTarget,
  tidewireTarget,
} from '../measure/targets.js';

const CONNECTIONS = 10_000;
const CONNECTIONS_QUICK = 3000;
/** Opened and closed first, so that what is needed once is not charged to the connections. */
const WARM_UP = 500;
const SETTLE_MS = 1000;

const SHAPE = { connections: 1, subscription: 'key', keys: 1 } as const;

/**
 * Growth of the process's resident memory by the connections, on a fresh process each time. A
 * connection has said Hello with a token and watches a key of its own. What the kernel keeps for a
 * socket is the same on both sides and not counted. Both processes collect their garbage before either
 * reading: how much there is of it, and when it would go, says nothing of what a connection holds. The
 * notes tell the growth with it, too.
 */
export const idleConnections: Scenario = {
  id: 'P18',
  title:
    'memory per idle authenticated connection with one key subscription, 10 k (--quick: 3 k) ÷ raw uWebSockets',
  unit: 'B',
  bar: 2,
  goal: 1.3,
  better: 'lower',
  open: async ({ isQuick }) =>
    new IdleConnectionsBench({
      connections: isQuick ? CONNECTIONS_QUICK : CONNECTIONS,
      issuer: await Issuer.open(),
      memory: await CollectedMemory.open(),
    }),
};

class IdleConnectionsBench implements Bench {
  readonly #connections: number;
  readonly #issuer: Issuer;
  readonly #memory: CollectedMemory;

  constructor(options: { connections: number; issuer: Issuer; memory: CollectedMemory }) {
    this.#connections = options.connections;
    this.#issuer = options.issuer;
    this.#memory = options.memory;
  }

  async measure(side: Side): Promise<Sample> {
    const target = await (side === 'ours' ? this.#ours() : echoTarget(SHAPE, this.#memory.preload));
    const plan = { ...target.plan, subscribers: this.#connections };
    return await measureConnections(target, plan, this.#memory);
  }

  async close(): Promise<void> {
    await this.#issuer.close();
    await this.#memory.close();
  }

  #ours(): Promise<TidewireTarget> {
    const { flags, mint } = this.#issuer;
    return tidewireTarget(
      { ...SHAPE, token: mint.valid() },
      { flags, preload: this.#memory.preload },
    );
  }
}

async function measureConnections(
  target: Target | TidewireTarget,
  plan: LoadPlan,
  memory: CollectedMemory,
): Promise<Sample> {
  try {
    const warmUp = await LoadClient.open({ ...plan, subscribers: WARM_UP });
    await warmUp.close();
    await sleep(SETTLE_MS);
    const before = await memory.read(target.pid);
    const client = await LoadClient.open(plan);
    await sleep(SETTLE_MS);
    const uncollected = residentBytesOf(target.pid) - before;
    const bytes = (await memory.read(target.pid)) - before;
    const faults = 'server' in target ? await countFaults(target, plan.subscribers) : [];
    await client.close();
    const megabytes = Math.round(before / 1e6);
    return {
      value: bytes / plan.subscribers,
      notes: [
        `resident before: ${megabytes} MB, growth ${tenths(bytes)} MB, with garbage ${tenths(uncollected)} MB`,
      ],
      faults,
    };
  } finally {
    await target.stop();
  }
}

async function countFaults(target: TidewireTarget, subscribers: number): Promise<string[]> {
  const { connections } = await target.server.info();
  const expected = SHAPE.connections + subscribers;
  return connections === expected ? [] : [`${connections} of ${expected} connections are open`];
}

function tenths(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
