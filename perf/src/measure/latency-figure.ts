import type { LoadReport } from '../load/plan.js';

/** Microseconds at one of the points that a report has. */
export function percentileOf(load: LoadReport, percentile: number): number {
  const point = load.latency.find((candidate) => candidate.percentile === percentile);
  if (point === undefined) throw new Error(`no latency was recorded at ${percentile} %`);
  return point.micros;
}

/** The points that tell most, as one note. */
export function describeLatency(load: LoadReport): string {
  const points = [50, 99, 99.9].map((p) => `p${p} ${percentileOf(load, p)} µs`);
  return `latency: ${points.join(', ')}`;
}
