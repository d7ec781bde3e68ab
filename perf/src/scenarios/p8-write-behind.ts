import { LoadClient } from '../load/load-client.js';
import { MAP } from '../load/operation-template.js';
import { type LoadReport, runOf } from '../load/plan.js';
import { faultsOf, remarksOf } from '../measure/accounting.js';
import { drain } from '../measure/flush-watch.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';
import type { Database } from '../server-under-test.js';
import { copyRows, rowsForCopy } from './raw-table.js';

const ROWS = 300_000;
const ROWS_QUICK = 100_000;
const PATIENCE_MS = 60_000;

/**
 * From the first write to the moment when the database has the last row: receiving, executing and
 * flushing together. COPY gets the same rows, ready made and in the order of its index.
 */
export const writeBehind: Scenario = {
  id: 'P8',
  title: 'distinct new rows durable a second, by FAST writes ÷ raw COPY into the same table',
  unit: 'rows/s',
  bar: 0.4,
  goal: 0.6,
  better: 'higher',
  open: (context) => WriteBehindBench.open(context),
};

class WriteBehindBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #sql: Database;
  #written = 0;
  #copies = 0;

  private constructor(target: TidewireTarget, sql: Database) {
    this.#target = target;
    this.#sql = sql;
  }

  static async open(context: Context): Promise<WriteBehindBench> {
    const target = await tidewireTarget({
      keys: context.isQuick ? ROWS_QUICK : ROWS,
      distribution: 'sequential',
    });
    try {
      const bench = new WriteBehindBench(target, await target.server.openDatabase());
      context.progress('warming up');
      const { faults } = await bench.measure('ours'); // COPY needs its rows
      if (faults.length > 0) throw new Error(faults.join('; '));
      return bench;
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    return side === 'ours' ? await this.#measureOurs() : await this.#measureCopy();
  }

  async close(): Promise<void> {
    await this.#sql.end();
    await this.#target.stop();
  }

  async #measureOurs(): Promise<Sample> {
    const { server, plan } = this.#target;
    const rows = plan.keys;
    const client = await LoadClient.open({ ...plan, firstKey: this.#written });
    this.#written += rows;
    const startedAt = performance.now();
    let load: LoadReport;
    try {
      load = await client.run(runOf(rows));
    } finally {
      await client.close();
    }
    const { drainMs } = await drain(server, PATIENCE_MS);
    const seconds = (performance.now() - startedAt) / 1000;
    const stored = await this.#countRows(MAP);
    const faults = faultsOf(load, plan);
    if (stored !== this.#written)
      faults.push(`${this.#written} rows were written, the table has ${stored}`);
    const behind = `durable ${drainMs} ms after the last answer`;
    return { value: rows / seconds, notes: [...remarksOf(load), behind], faults };
  }

  async #measureCopy(): Promise<Sample> {
    const rows = this.#target.plan.keys;
    const map = `copy${++this.#copies}`;
    const text = await rowsForCopy(this.#target.server, map, rows);
    const startedAt = performance.now();
    await copyRows(this.#sql, text);
    const seconds = (performance.now() - startedAt) / 1000;
    const stored = await this.#countRows(map);
    return {
      value: rows / seconds,
      notes: [`one COPY of ${rows} rows, ${Math.round(text.length / rows)} B of text each, sorted`],
      faults: stored === rows ? [] : [`COPY of ${rows} rows left ${stored}`],
    };
  }

  async #countRows(map: string): Promise<number> {
    const query = 'SELECT count(*)::int4 AS count FROM tidewire.record WHERE map = $1';
    const [row] = await this.#sql.unsafe(query, [map]);
    return Number(row['count']);
  }
}
