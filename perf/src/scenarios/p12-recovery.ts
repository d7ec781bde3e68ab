import { setTimeout as sleep } from 'node:timers/promises';
import { drain } from '../measure/flush-watch.js';
import { fill } from '../measure/load-bench.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';

const RECORDS = 1_000_000;
const RECORDS_QUICK = 500_000;
const PATIENCE_MS = 120_000;
const LOOK_MS = 5;

/**
 * From the moment when the database is up to that when clients are let in: opening the store,
 * reading every row, and putting it where it belongs.
 */
export const recovery: Scenario = {
  id: 'P12',
  title: 'recovery of 1 M records at start (--quick: 500 k) ÷ streaming SELECT, rows thrown away',
  unit: 'rows/s',
  bar: 0.5,
  goal: 0.8,
  better: 'higher',
  open: (context) => RecoveryBench.open(context),
};

class RecoveryBench implements Bench {
  readonly #target: TidewireTarget;

  private constructor(target: TidewireTarget) {
    this.#target = target;
  }

  static async open(context: Context): Promise<RecoveryBench> {
    const keys = context.isQuick ? RECORDS_QUICK : RECORDS;
    const target = await tidewireTarget({ keys });
    try {
      context.progress(`writing ${keys} records`);
      await fill(target);
      const { drainMs } = await drain(target.server, PATIENCE_MS);
      if (drainMs > PATIENCE_MS) throw new Error('the database did not take the records in time');
      return new RecoveryBench(target);
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    return side === 'ours' ? await this.#measureRecovery() : await this.#measureSelect();
  }

  async close(): Promise<void> {
    await this.#target.stop();
  }

  async #measureRecovery(): Promise<Sample> {
    const { server, plan } = this.#target;
    await server.respawn();
    const startedAt = await this.#timeOf('recovering');
    const endedAt = await this.#timeOf('ready');
    const seconds = (endedAt - startedAt) / 1000;
    const { records } = await server.info();
    return {
      value: records / seconds,
      notes: [`${records} records in ${Math.round(seconds * 1000)} ms`],
      faults: records === plan.keys ? [] : [`${records} of ${plan.keys} records were recovered`],
    };
  }

  /** When the server says that it is so, or further. */
  async #timeOf(status: 'recovering' | 'ready'): Promise<number> {
    const endAt = performance.now() + PATIENCE_MS;
    for (;;) {
      const readiness = await this.#target.server.readiness();
      const now = performance.now();
      if (readiness?.status === status || readiness?.status === 'ready') return now;
      if (now > endAt) throw new Error(`the server was not ${status} in time`);
      await sleep(LOOK_MS);
    }
  }

  async #measureSelect(): Promise<Sample> {
    const { server, plan } = this.#target;
    const sql = await server.openDatabase();
    try {
      await sql.unsafe('SELECT 1'); // connected
      let rows = 0;
      const startedAt = performance.now();
      await sql.unsafe('SELECT * FROM tidewire.record').forEach(() => void rows++);
      const seconds = (performance.now() - startedAt) / 1000;
      return {
        value: rows / seconds,
        notes: [`${rows} rows in ${Math.round(seconds * 1000)} ms`],
        faults: rows === plan.keys ? [] : [`SELECT gave ${rows} of ${plan.keys} rows`],
      };
    } finally {
      await sql.end();
    }
  }
}
