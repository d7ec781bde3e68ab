import { LoadClient } from '../load/load-client.js';
import { type LoadReport, runOf } from '../load/plan.js';
import { faultsOf } from '../measure/accounting.js';
import { drain } from '../measure/flush-watch.js';
import { percentileOf } from '../measure/latency-figure.js';
import { fill } from '../measure/load-bench.js';
import { saturationOf } from '../measure/saturation.js';
import type { Bench, Context, Curve, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';
import { OPEN_LOOP_WINDOW } from './open-loop-bench.js';
import { type Minute, type Part, partsOf, soakFaults } from './soak-minutes.js';

const SHARE = 0.7;
const MINUTE_MS = 60_000;
const MINUTE_MS_QUICK = 2000;
const MINUTES_QUICK = 6;
const RECORDS = 1_000_000;
const RECORDS_QUICK = 100_000;
const DRAIN_MS_MAX = 120_000;

/** Theirs is the same run right after its warm-up: nothing may grow from there. */
export const soak: Scenario = {
  id: 'soak',
  title: 'resident memory at the end ÷ after warm-up, 70 % of saturation, 1 M records',
  unit: 'B',
  bar: 1.05,
  goal: 1.02,
  better: 'lower',
  isByNameOnly: true,
  rounds: 1,
  open: (context) => SoakBench.open(context),
};

class SoakBench implements Bench {
  readonly #target: TidewireTarget;
  readonly #client: LoadClient;
  readonly #context: Context;
  readonly #rate: number;
  #minutes: readonly Minute[] = [];

  private constructor(
    target: TidewireTarget,
    client: LoadClient,
    options: { context: Context; rate: number },
  ) {
    this.#target = target;
    this.#client = client;
    this.#context = options.context;
    this.#rate = options.rate;
  }

  static async open(context: Context): Promise<SoakBench> {
    const target = await tidewireTarget(
      {
        keys: context.isQuick ? RECORDS_QUICK : RECORDS,
        window: OPEN_LOOP_WINDOW,
        subscribers: 1,
      },
      { drainMsMax: DRAIN_MS_MAX },
    );
    try {
      context.progress('writing every key once');
      await fill(target);
      context.progress('finding the saturation');
      const client = await LoadClient.open(target.plan);
      const rate = context.rate || SHARE * (await saturationOf(target, client, context));
      return new SoakBench(target, client, { context, rate });
    } catch (error) {
      await target.stop();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    if (side === 'ours') return await this.#soak();
    const { before } = partsOf(this.#minutes);
    return { value: before.rssBytes, notes: [describePart(before)], faults: [] };
  }

  async close(): Promise<void> {
    await this.#client.close();
    await this.#target.stop();
  }

  async #soak(): Promise<Sample> {
    const { isQuick } = this.#context;
    const count = isQuick ? MINUTES_QUICK : Math.max(2, Math.round(this.#context.minutes));
    const minutes: Minute[] = [];
    let load: LoadReport | undefined;
    for (let minute = 1; minute <= count; minute++) {
      this.#context.progress(`minute ${minute} of ${count}`);
      load = await this.#run(isQuick ? MINUTE_MS_QUICK : MINUTE_MS);
      minutes.push(await this.#minuteOf(minute, load));
    }
    this.#minutes = minutes;
    return await this.#sample(minutes, load);
  }

  /** A run a minute on the same connections: each is accounted for down to its last answer. */
  async #run(measureMs: number): Promise<LoadReport> {
    const run = { ...runOf(0), measureMs, rate: this.#rate, watch: [this.#target.pid] };
    return await this.#client.run(run);
  }

  async #minuteOf(minute: number, load: LoadReport): Promise<Minute> {
    const { server, plan } = this.#target;
    const { bytes, records, dirty } = await server.info();
    const faults = faultsOf(load, plan);
    if (records !== plan.keys) faults.push(`${records} records instead of ${plan.keys}`);
    return {
      minute,
      rssBytes: server.residentBytes(),
      storeBytes: bytes,
      dirty,
      p999Micros: percentileOf(load, 99.9),
      acked: load.account.acked,
      refused: load.account.refused,
      faults: faults.map((fault) => `minute ${minute}: ${fault}`),
    };
  }

  async #sample(minutes: readonly Minute[], load: LoadReport | undefined): Promise<Sample> {
    const { server, plan } = this.#target;
    const { drainMs } = await drain(server, DRAIN_MS_MAX);
    const rows = await server.countRows();
    const { after } = partsOf(minutes);
    const acked = minutes.reduce((sum, minute) => sum + minute.acked, 0);
    const refused = minutes.reduce((sum, minute) => sum + minute.refused, 0);
    const faults = [...minutes.flatMap((minute) => minute.faults), ...soakFaults(minutes)];
    if (rows !== plan.keys) faults.push(`the table has ${rows} rows for ${plan.keys} keys`);
    return {
      value: after.rssBytes,
      notes: [
        describePart(after),
        `${Math.round(this.#rate)}/s by the clock, ${plan.keys} records, ${minutes.length} minutes` +
          (this.#context.isQuick ? ' of 2 s (--quick)' : ''),
        `${acked} acked, ${refused} refused, ${rows} rows; drained ${drainMs} ms after the end`,
        ...minutes.map(describeMinute),
      ],
      faults,
      curves: curvesOf(minutes),
      ...(load === undefined ? {} : { load }),
    };
  }
}

function describePart({ firstMinute, lastMinute }: Part): string {
  return `median of minutes ${firstMinute} to ${lastMinute}`;
}

function describeMinute(minute: Minute): string {
  const mebibytes = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(0)} MiB`;
  return (
    `minute ${minute.minute}: p99.9 ${minute.p999Micros} µs, resident ` +
    `${mebibytes(minute.rssBytes)}, store ${mebibytes(minute.storeBytes)}, ${minute.dirty} dirty`
  );
}

function curvesOf(minutes: readonly Minute[]): Curve[] {
  const over = (title: string, yLabel: string, value: (minute: Minute) => number): Curve => ({
    title,
    xLabel: 'minute',
    yLabel,
    points: minutes.map((minute) => [minute.minute, value(minute)] as const),
  });
  return [
    over('p99.9 by the minute', 'µs', (minute) => minute.p999Micros),
    over('resident memory', 'MiB', (minute) => minute.rssBytes / 2 ** 20),
    over('memory of the store', 'MiB', (minute) => minute.storeBytes / 2 ** 20),
  ];
}
