import { SESSION_HARD_BYTES } from '@tidewire/core';
import { StartFrom } from '@tidewire/schemas';
import { MapSubscriber, sumOf } from '../load/map-subscriber.js';
import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { Bench, Context, Finish, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

const READING = 38;
const STALLED = 2;
/** What the process may grow by beside the buffers of those that stall. */
const SLACK_BYTES: number = 64 * 1024 * 1024;

/**
 * A stalled subscriber has stopped reading before the load begins. Once the load is over it reads
 * again and must come to hold what one holds that subscribes then.
 */
export const stalledSubscribers: Scenario = {
  id: 'P17',
  title: 'writes with 2 of 40 subscribers stalled ÷ with the other 38 alone',
  unit: 'writes/s',
  bar: 0.9,
  goal: 0.99,
  better: 'higher',
  open: (context) => StalledBench.open(context),
};

class StalledBench implements Bench {
  readonly #bench: LoadBench;
  readonly #target: TidewireTarget;

  private constructor(bench: LoadBench, target: TidewireTarget) {
    this.#bench = bench;
    this.#target = target;
  }

  static async open(context: Context): Promise<StalledBench> {
    const shape = { subscribers: READING };
    const ours = await tidewireTarget(shape);
    const start = { ours: () => Promise.resolve(ours), theirs: () => tidewireTarget(shape) };
    const bench = await LoadBench.open(start, ackedPerSecond, context);
    return new StalledBench(bench, ours);
  }

  async measure(side: Side): Promise<Sample> {
    if (side === 'theirs') return await this.#bench.measure('theirs');
    const { port } = this.#target.plan;
    const opening = { port, start: StartFrom.SNAPSHOT };
    const stalled = await Promise.all(
      Array.from({ length: STALLED }, () => MapSubscriber.open(opening)),
    );
    const before = this.#target.server.residentBytes();
    for (const subscriber of stalled) subscriber.stall();
    const sample = await this.#bench.measure('ours');
    const growth = this.#target.server.residentBytes() - before;
    const faults = [
      ...sample.faults,
      ...growthFaults(growth),
      ...(await convergence(stalled, port)),
    ];
    const lags = stalled.reduce((sum, subscriber) => sum + subscriber.lags, 0);
    const note = `resident grew by ${Math.round(growth / 1e6)} MB, told to lag ${lags} times`;
    for (const subscriber of stalled) subscriber.close();
    return { ...sample, notes: [note, ...sample.notes], faults };
  }

  async finish(): Promise<Finish> {
    return { notes: ['after each round the stalled held what a fresh snapshot holds'], faults: [] };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }
}

function growthFaults(growth: number): string[] {
  const cap = STALLED * SESSION_HARD_BYTES + SLACK_BYTES;
  return growth <= cap ? [] : [`resident memory grew by ${growth} B, the cap is ${cap} B`];
}

/** They read again; in the end all hold the same. */
async function convergence(stalled: readonly MapSubscriber[], port: number): Promise<string[]> {
  const fresh = await MapSubscriber.open({ port, start: StartFrom.SNAPSHOT });
  const expected = { count: fresh.held.size, sum: sumOf(fresh) };
  fresh.close();
  const faults: string[] = [];
  for (const subscriber of stalled)
    await subscriber.catchUp(expected).catch((error: Error) => faults.push(error.message));
  if (stalled.some((subscriber) => subscriber.lags === 0)) faults.push('nobody was told to lag');
  return faults;
}
