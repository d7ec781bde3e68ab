import type { LoadReport } from '../load/plan.js';
import { describeLatency } from '../measure/latency-figure.js';
import { LoadBench } from '../measure/load-bench.js';
import { saturationOf } from '../measure/saturation.js';
import type { Bench, Context, Sample } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { echoTarget, type LoadShape, tidewireTarget } from '../measure/targets.js';

/** Just below what the server takes of a connection: the pace is the clock's, not the window's. */
export const OPEN_LOOP_WINDOW = 1000;
const SHARE = 0.5;

interface Options {
  /** Of our load; the echo gets the same frames. */
  readonly shape: LoadShape;
  readonly figure: (load: LoadReport) => number;
  readonly measureMs: number;
  /** How long the database may need to catch up. */
  readonly drainMsMax?: number;
}

/** Latency from intended times at half of our own saturation, against an echo at that rate. */
export class OpenLoopBench implements Bench {
  readonly #bench: LoadBench;
  readonly #rate: number;
  readonly #measureMs: number;

  private constructor(bench: LoadBench, rate: number, measureMs: number) {
    this.#bench = bench;
    this.#rate = rate;
    this.#measureMs = measureMs;
  }

  static async open(context: Context, options: Options): Promise<OpenLoopBench> {
    const { figure, measureMs, drainMsMax } = options;
    const shape = { ...options.shape, window: OPEN_LOOP_WINDOW };
    const watched = drainMsMax === undefined ? {} : { drainMsMax };
    const start = {
      ours: () => tidewireTarget({ ...shape, subscribers: 1 }, watched),
      theirs: () => echoTarget(shape),
    };
    const bench = await LoadBench.open(start, figure, context);
    try {
      context.progress('finding the saturation');
      const { targets, clients } = bench;
      const saturation = await saturationOf(targets.ours, clients.ours, context);
      return new OpenLoopBench(bench, SHARE * saturation, measureMs);
    } catch (error) {
      await bench.close();
      throw error;
    }
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side, {
      rate: this.#rate,
      measureMs: this.#measureMs,
    });
    const notes = sample.load === undefined ? [] : [describeLatency(sample.load)];
    return { ...sample, notes: [...sample.notes, ...notes, ...this.#pace(sample.load)] };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }

  #pace(load: LoadReport | undefined): string[] {
    if (load === undefined) return [];
    const seen = Math.round(load.acked / load.seconds);
    return [`${Math.round(this.#rate)}/s by the clock (half of our saturation), ${seen}/s acked`];
  }
}
