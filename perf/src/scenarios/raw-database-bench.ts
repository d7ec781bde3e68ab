import { LoadClient } from '../load/load-client.js';
import { type LoadReport, runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from '../measure/accounting.js';
import { drain } from '../measure/flush-watch.js';
import { fill } from '../measure/load-bench.js';
import { describeCpu } from '../measure/process-cpu.js';
import type { Bench, Context, Sample } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type LoadShape, type TidewireTarget, tidewireTarget } from '../measure/targets.js';
import { RawTable } from './raw-table.js';

interface Options {
  /** Of our load. */
  readonly shape: LoadShape;
  /** Ours, of a run. */
  readonly figure: (load: LoadReport) => number;
  /** Theirs: uses the table until `endAt` of `performance.now()`. */
  readonly theirs: (table: RawTable, endAt: number) => Promise<Pick<Sample, 'value' | 'notes'>>;
}

/** Writes through Tidewire beside writes straight into the same Postgres, one after the other. */
export class RawDatabaseBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #client: LoadClient;
  readonly #table: RawTable;
  readonly #options: Options;
  readonly #context: Context;

  private constructor(
    parts: { target: TidewireTarget; client: LoadClient; table: RawTable },
    options: Options,
    context: Context,
  ) {
    this.#target = parts.target;
    this.#client = parts.client;
    this.#table = parts.table;
    this.#options = options;
    this.#context = context;
  }

  static async open(context: Context, options: Options): Promise<RawDatabaseBench> {
    const target = await tidewireTarget(options.shape);
    try {
      context.progress('writing every key once');
      await fill(target);
      await drain(target.server);
      const table = await RawTable.open(target.server, target.plan);
      const client = await LoadClient.open(target.plan);
      return new RawDatabaseBench({ target, client, table }, options, context);
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    return side === 'ours' ? await this.#measureOurs() : await this.#measureTheirs();
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const { keys } = this.#target.plan;
    const rows = { ours: await this.#target.server.countRows(), theirs: await this.#table.count() };
    const faults =
      rows.ours === keys && rows.theirs === keys ? [] : [`not ${keys} rows in both tables`];
    const note = `rows in the database: ours ${rows.ours}, theirs ${rows.theirs}, keys ${keys}`;
    return { notes: [note], faults };
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#table.close();
    await this.#target.stop();
  }

  async #measureOurs(): Promise<Sample> {
    const { settleMs, measureMs } = this.#context;
    const { pid, plan } = this.#target;
    const seen = this.#target.watch?.();
    const load = await this.#client.run({ ...runOf(0), settleMs, measureMs, watch: [pid] });
    const { notes, faults } = (await seen?.()) ?? { notes: [], faults: [] };
    const cpu = describeCpu(load.cpu, pid, load.seconds);
    return {
      value: this.#options.figure(load),
      notes: [`server CPU: ${cpu}`, ...remarksOf(load), ...notes],
      faults: [...faultsOf(load, plan), ...faults],
      load,
    };
  }

  async #measureTheirs(): Promise<Sample> {
    const { settleMs, measureMs } = this.#context;
    await this.#options.theirs(this.#table, performance.now() + settleMs);
    const { value, notes } = await this.#options.theirs(this.#table, performance.now() + measureMs);
    return { value, notes, faults: [] };
  }
}
