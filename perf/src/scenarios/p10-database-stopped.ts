import { LoadClient } from '../load/load-client.js';
import { runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from '../measure/accounting.js';
import { drain } from '../measure/flush-watch.js';
import { fill } from '../measure/load-bench.js';
import { describeCpu } from '../measure/process-cpu.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

/** "Flat": the store's bytes stay within this. */
const GROWTH_MAX = 0.05;
/** The backlog is every key; it drains at P8's rate, and a reconnect may come before that. */
const DRAIN_MS_MAX = 30_000;

export const databaseStopped: Scenario = {
  id: 'P10',
  title: 'FAST overwrites with Postgres stopped (SIGSTOP) for the whole run ÷ with Postgres up',
  unit: 'writes/s',
  bar: 1,
  goal: 1.2,
  better: 'higher',
  open: (context) => DatabaseStoppedBench.open(context),
};

/** One server for both sides: the same store, with and without its database. */
class DatabaseStoppedBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #client: LoadClient;
  readonly #context: Context;

  private constructor(target: TidewireTarget, client: LoadClient, context: Context) {
    this.#target = target;
    this.#client = client;
    this.#context = context;
  }

  static async open(context: Context): Promise<DatabaseStoppedBench> {
    const target = await tidewireTarget({ subscribers: 1 });
    try {
      await fill(target);
      const client = await LoadClient.open(target.plan);
      const bench = new DatabaseStoppedBench(target, client, context);
      context.progress('warming up');
      await bench.measure('theirs');
      return bench;
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    const { server } = this.#target;
    const isHeld = side === 'ours';
    const before = await server.info();
    if (isHeld) server.holdDatabase();
    try {
      const sample = await this.#run();
      const after = await server.info();
      const growth = after.bytes / before.bytes - 1;
      const faults = growth > GROWTH_MAX ? [`the store grew by ${percent(growth)}`] : [];
      const held = `memory of the store ${percent(growth)}, ${after.dirty} changes behind at the end`;
      server.releaseDatabase();
      return await this.#drained({
        ...sample,
        notes: [...sample.notes, held],
        faults: [...sample.faults, ...faults],
      });
    } finally {
      server.releaseDatabase();
    }
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const { keys } = this.#target.plan;
    const rows = await this.#target.server.countRows();
    const faults = rows === keys ? [] : [`${keys} keys were written, the table has ${rows} rows`];
    return { notes: [`count in the database: ${rows} rows for ${keys} keys`], faults };
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#target.stop();
  }

  async #run(): Promise<Sample> {
    const { settleMs, measureMs } = this.#context;
    const { pid, plan } = this.#target;
    const load = await this.#client.run({ ...runOf(0), settleMs, measureMs, watch: [pid] });
    const cpu = describeCpu(load.cpu, pid, load.seconds);
    return {
      value: load.acked / load.seconds,
      notes: [`server CPU: ${cpu}`, ...remarksOf(load)],
      faults: faultsOf(load, plan),
      load,
    };
  }

  async #drained(sample: Sample): Promise<Sample> {
    const { keys } = this.#target.plan;
    const { drainMs, records } = await drain(this.#target.server, DRAIN_MS_MAX);
    const faults = [
      ...(drainMs > DRAIN_MS_MAX ? ['the backlog did not drain'] : []),
      ...(records === keys ? [] : [`${keys} keys were written, the server holds ${records}`]),
    ];
    const note = `backlog of at most ${keys} rows drained in ${drainMs} ms`;
    return {
      ...sample,
      notes: [...sample.notes, note],
      faults: [...sample.faults, ...faults],
    };
  }
}

function percent(share: number): string {
  return `${share < 0 ? '' : '+'}${(100 * share).toFixed(1)} %`;
}
