import { build, type Histogram, initWebAssembly } from 'hdr-histogram-js';
import type { LatencyPoint } from './plan.js';

const MICROS_MAX = 60_000_000;
const PERCENTILES = [0, 10, 25, 50, 75, 90, 95, 99, 99.5, 99.9, 99.95, 99.99, 100];

/** Latencies of a window; outside it nothing is recorded. */
export class LatencyRecorder {
  isRecording = false;
  readonly #histogram: Histogram;

  private constructor(histogram: Histogram) {
    this.#histogram = histogram;
  }

  static async create(): Promise<LatencyRecorder> {
    await initWebAssembly();
    return new LatencyRecorder(build({ useWebAssembly: true, highestTrackableValue: MICROS_MAX }));
  }

  record(milliseconds: number): void {
    const micros = Math.round(milliseconds * 1000);
    this.#histogram.recordValue(Math.min(Math.max(micros, 1), MICROS_MAX));
  }

  /** The points of the curve so far; forgets what was recorded. */
  take(): LatencyPoint[] {
    const points =
      this.#histogram.totalCount === 0
        ? []
        : PERCENTILES.map((percentile) => ({
            percentile,
            micros: this.#histogram.getValueAtPercentile(percentile),
          }));
    this.#histogram.reset();
    return points;
  }
}
