import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { StartFrom } from '@tidewire/schemas';
import { LoadClient } from '../load/load-client.js';
import { MapSubscriber, sumOf } from '../load/map-subscriber.js';
import { runOf } from '../load/plan.js';
import { faultsOf } from '../measure/accounting.js';
import { fill } from '../measure/load-bench.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

const SUBSCRIBERS = 1000;
const KEYS = 2000;
/** Written while everyone is away and comes back. */
const WRITES = 20_000;
const OPENINGS = 50;
const READY_LOOK_MS = 20;
const SHAPE = { keys: KEYS, subscribers: 0 };

/**
 * The server is stopped in order and started again; 1,000 subscribers come back with what they hold
 * and their cursors while writes go on. In the end each must hold what a fresh snapshot holds. Theirs is
 * what as many fresh snapshots cost.
 */
export const restart: Scenario = {
  id: 'restart',
  title: 'bytes to resume 1,000 subscribers over a restart under writes ÷ full snapshots',
  unit: 'B',
  bar: 1,
  goal: 0.5,
  better: 'lower',
  isByNameOnly: true,
  rounds: 2,
  open: (context) => RestartBench.open(context),
};

class RestartBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #context: Context;

  private constructor(target: TidewireTarget, context: Context) {
    this.#target = target;
    this.#context = context;
  }

  static async open(context: Context): Promise<RestartBench> {
    const target = await tidewireTarget(SHAPE);
    try {
      await fill(target);
      return new RestartBench(target, context);
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    const { port } = this.#target.plan;
    const opening = { port, start: StartFrom.SNAPSHOT };
    const fresh = await openAll(SUBSCRIBERS, () => MapSubscriber.open(opening));
    const bytes = fresh.reduce((sum, subscriber) => sum + subscriber.bytes, 0);
    const sample = side === 'ours' ? await this.#measureRestart(fresh) : sampleOf(bytes, []);
    for (const subscriber of fresh) subscriber.close();
    return sample;
  }

  async close(): Promise<void> {
    await this.#target.stop();
  }

  async #measureRestart(before: readonly MapSubscriber[]): Promise<Sample> {
    for (const subscriber of before) subscriber.close();
    this.#context.progress('restarting the server');
    await this.#target.server.respawn();
    while ((await this.#target.server.readiness())?.status !== 'ready') await sleep(READY_LOOK_MS);
    const startedAt = performance.now();
    const writing = this.#write();
    let next = 0;
    const after = await openAll(SUBSCRIBERS, () => MapSubscriber.resume(before[next++]));
    const seconds = (performance.now() - startedAt) / 1000;
    const faults = await writing;
    const bytes = after.reduce((sum, subscriber) => sum + subscriber.bytes, 0);
    faults.push(...(await this.#differences(after)));
    for (const subscriber of after) subscriber.close();
    const sample = sampleOf(bytes, faults);
    return { ...sample, notes: [`all back in ${seconds.toFixed(2)} s`, ...sample.notes] };
  }

  async #write(): Promise<string[]> {
    const plan = this.#target.plan;
    const client = await LoadClient.open(plan);
    const faults = faultsOf(await client.run(runOf(WRITES)), plan);
    await client.close();
    return faults;
  }

  /** Everyone comes to hold the same, and nobody held anything older after something newer. */
  async #differences(subscribers: readonly MapSubscriber[]): Promise<string[]> {
    const { port } = this.#target.plan;
    const fresh = await MapSubscriber.open({ port, start: StartFrom.SNAPSHOT });
    const expected = { count: fresh.held.size, sum: sumOf(fresh) };
    fresh.close();
    const faults: string[] = [];
    for (const subscriber of subscribers)
      await subscriber.catchUp(expected).catch((error: Error) => faults.push(error.message));
    return faults;
  }
}

async function openAll(
  count: number,
  open: () => Promise<MapSubscriber>,
): Promise<MapSubscriber[]> {
  const opened: MapSubscriber[] = [];
  while (opened.length < count) {
    const openings = Math.min(OPENINGS, count - opened.length);
    opened.push(...(await Promise.all(Array.from({ length: openings }, open))));
  }
  return opened;
}

function sampleOf(bytes: number, faults: readonly string[]): Sample {
  const value = bytes / SUBSCRIBERS;
  return { value, notes: [`${(bytes / 1e6).toFixed(1)} MB in all`], faults };
}
