/** Upper ends of the buckets, in seconds: from 1 µs on, each four times the one before. */
export const DURATION_BOUNDS: readonly number[] = Array.from(
  { length: 12 },
  (_, i) => 1e-6 * 4 ** i,
);

/** How long something took, as counts in buckets: cheap enough to be kept all the time. */
export class Durations {
  /** By bucket, the last for whatever took longer; each for itself. */
  readonly counts: Float64Array = new Float64Array(DURATION_BOUNDS.length + 1);
  seconds = 0;

  add(ms: number): void {
    const seconds = ms / 1000;
    let bucket = 0;
    while (bucket < DURATION_BOUNDS.length && seconds > DURATION_BOUNDS[bucket]) bucket++;
    this.counts[bucket]++;
    this.seconds += seconds;
  }
}
