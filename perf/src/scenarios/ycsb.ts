import { OUTCOME_DONE } from '../load/dialect.js';
import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import {
  type LoadShape,
  type RedisTarget,
  redisTarget,
  type TidewireTarget,
  tidewireTarget,
} from '../measure/targets.js';

/** Inserts leave more rows to write behind than P1's overwrites do. */
const DRAIN_MS_MAX = 60_000;

interface Workload {
  readonly letter: string;
  readonly mix: string;
  readonly shape: LoadShape;
}

/** YCSB's core workloads on the goals' keys and values; E needs scans, which nobody here has. */
const WORKLOADS: readonly Workload[] = [
  { letter: 'a', mix: '50 % reads, 50 % updates, Zipf', shape: zipf(0.5) },
  { letter: 'b', mix: '95 % reads, 5 % updates, Zipf', shape: zipf(0.95) },
  { letter: 'c', mix: 'reads only, Zipf', shape: zipf(1) },
  {
    letter: 'd',
    mix: '95 % reads of the latest, 5 % inserts',
    shape: { distribution: 'latest', getShare: 0.95 },
  },
  {
    letter: 'f',
    mix: 'half reads, half read-modify-writes (counted as two), Zipf',
    shape: { ...zipf(1), modifyShare: 0.5 },
  },
];

export const YCSB: readonly Scenario[] = WORKLOADS.map((workload) => ({
  id: `ycsb-${workload.letter}`,
  title: `YCSB ${workload.letter.toUpperCase()}: ${workload.mix} ÷ Redis, the same mix`,
  unit: 'operations/s',
  bar: 0.4,
  goal: 1,
  better: 'higher',
  isByNameOnly: true,
  open: (context) => YcsbBench.open(context, workload),
}));

function zipf(getShare: number): LoadShape {
  return { distribution: 'zipf', getShare };
}

/** Both stores must hold every key, those inserted meanwhile too. */
class YcsbBench implements Bench {
  readonly #bench: LoadBench;
  readonly #ours: TidewireTarget;
  readonly #theirs: RedisTarget;
  readonly #inserted: Record<Side, number> = { ours: 0, theirs: 0 };
  readonly #inserts: boolean;

  private constructor(bench: LoadBench, ours: TidewireTarget, theirs: RedisTarget) {
    this.#bench = bench;
    this.#ours = ours;
    this.#theirs = theirs;
    this.#inserts = ours.plan.distribution === 'latest';
  }

  static async open(context: Context, { shape }: Workload): Promise<YcsbBench> {
    const theirs = await redisTarget(shape);
    const watched = { keys: undefined, drainMsMax: DRAIN_MS_MAX };
    const ours = await tidewireTarget(shape, watched).catch(async (error) => {
      await theirs.stop();
      throw error;
    });
    const start = { ours: () => Promise.resolve(ours), theirs: () => Promise.resolve(theirs) };
    return new YcsbBench(await LoadBench.open(start, ackedPerSecond, context), ours, theirs);
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side);
    if (this.#inserts) this.#inserted[side] += sample.load?.account.codes[OUTCOME_DONE] ?? 0;
    return sample;
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const expected = {
      ours: this.#ours.plan.keys + this.#inserted.ours,
      theirs: this.#theirs.plan.keys + this.#inserted.theirs,
    };
    const { records } = await this.#ours.server.info();
    const rows = await this.#ours.server.countRows();
    const keys = await this.#theirs.redis.info('db0');
    const faults: string[] = [];
    if (records !== expected.ours || rows !== expected.ours)
      faults.push(`ours holds ${records} records and ${rows} rows, not ${expected.ours}`);
    if (keys !== expected.theirs) faults.push(`Redis holds ${keys} keys, not ${expected.theirs}`);
    const note = `keys at the end: ours ${records} (rows ${rows}), Redis ${keys}`;
    return { notes: [note], faults };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }
}
