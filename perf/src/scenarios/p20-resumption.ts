import { performance } from 'node:perf_hooks';
import { StartFrom } from '@tidewire/schemas';
import { LoadClient } from '../load/load-client.js';
import { MapSubscriber, type SubscriberCursor } from '../load/map-subscriber.js';
import { runOf } from '../load/plan.js';
import { faultsOf } from '../measure/accounting.js';
import { fill } from '../measure/load-bench.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { COMMON, type TidewireTarget, tidewireTarget } from '../measure/targets.js';

const SUBSCRIBERS = 1000;
/** A full snapshot has megabytes: enough of them for an average. */
const SNAPSHOTS = 10;
const MISSED: number = COMMON.keys / 100;
/** Connections that are opened at the same time. */
const OPENINGS = 50;

/** Bytes that the server sends a subscriber, from Subscribed until it is live and up to date. */
export const resumption: Scenario = {
  id: 'P20',
  title: 'bytes to reconnect each of 1,000 subscribers that missed 1 % of 100 k ÷ a full snapshot',
  unit: 'B',
  bar: 0.1,
  goal: 0.02,
  better: 'lower',
  open: (context) => ResumptionBench.open(context),
};

class ResumptionBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #context: Context;
  #cursor: SubscriberCursor;
  #firstMissed = 0;

  private constructor(target: TidewireTarget, context: Context, cursor: SubscriberCursor) {
    this.#target = target;
    this.#context = context;
    this.#cursor = cursor;
  }

  static async open(context: Context): Promise<ResumptionBench> {
    const target = await tidewireTarget({});
    try {
      await fill(target);
      const [first] = await openSubscribers(1, { ...target.plan, start: StartFrom.SNAPSHOT });
      first.close();
      return new ResumptionBench(target, context, first.cursor);
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    if (side === 'theirs') return await this.#measureSnapshots();
    await this.#writeMissed();
    return await this.#measureResumed();
  }

  async close(): Promise<void> {
    await this.#target.stop();
  }

  /** All of them were told of the same: they come back with one cursor. */
  async #measureResumed(): Promise<Sample> {
    const startedAt = performance.now();
    const { port } = this.#target.plan;
    const start = StartFrom.RESUME;
    const resumed = await openSubscribers(SUBSCRIBERS, { port, start, cursor: this.#cursor });
    const seconds = (performance.now() - startedAt) / 1000;
    const wrong = resumed.filter((subscriber) => subscriber.held.size !== MISSED).length;
    this.#cursor = resumed[0].cursor;
    const sample = sampleOf(resumed, seconds);
    const faults = wrong === 0 ? [] : [`${wrong} subscribers were not told of ${MISSED} keys`];
    return { ...sample, faults };
  }

  async #measureSnapshots(): Promise<Sample> {
    const startedAt = performance.now();
    const { port, keys } = this.#target.plan;
    const whole = await openSubscribers(SNAPSHOTS, { port, start: StartFrom.SNAPSHOT });
    const seconds = (performance.now() - startedAt) / 1000;
    const wrong = whole.filter((subscriber) => subscriber.held.size !== keys).length;
    const sample = sampleOf(whole, seconds);
    return { ...sample, faults: wrong === 0 ? [] : [`${wrong} snapshots were not whole`] };
  }

  /** Every round other keys, and nobody is connected. */
  async #writeMissed(): Promise<void> {
    this.#context.progress(`writing ${MISSED} keys that everyone misses`);
    const firstKey = this.#firstMissed;
    this.#firstMissed = (firstKey + MISSED) % COMMON.keys;
    const plan = {
      ...this.#target.plan,
      keys: MISSED,
      firstKey,
      distribution: 'sequential' as const,
    };
    const client = await LoadClient.open(plan);
    const faults = faultsOf(await client.run(runOf(MISSED)), plan);
    await client.close();
    if (faults.length > 0) throw new Error(faults.join('; '));
  }
}

async function openSubscribers(
  count: number,
  options: { port: number; start: StartFrom; cursor?: SubscriberCursor },
): Promise<MapSubscriber[]> {
  const subscribers: MapSubscriber[] = [];
  while (subscribers.length < count) {
    const openings = Math.min(OPENINGS, count - subscribers.length);
    const opened = Array.from({ length: openings }, () => MapSubscriber.open(options));
    subscribers.push(...(await Promise.all(opened)));
  }
  return subscribers;
}

function sampleOf(subscribers: readonly MapSubscriber[], seconds: number): Sample {
  const bytes = subscribers.reduce((sum, subscriber) => sum + subscriber.bytes, 0);
  for (const subscriber of subscribers) subscriber.close();
  const note = `${subscribers.length} subscribers, ${(bytes / 1e6).toFixed(1)} MB in ${seconds.toFixed(2)} s`;
  return { value: bytes / subscribers.length, notes: [note], faults: [] };
}
