import { writeFileSync } from 'node:fs';
import { performance } from 'node:perf_hooks';
import { readEnvironment } from '../measure/environment.js';
import { median } from '../measure/statistics.js';
import { MICRO_BENCHMARKS, type MicroBenchmark, YARDSTICK } from './benchmarks.js';

const ROUNDS = 7;
const ROUND_MS = 40;
const WARM_UP_MS = 150;

/** A micro-benchmark's outcome: nanoseconds an operation, and how many yardsticks that is. */
export interface MicroResult {
  readonly name: string;
  readonly nanoseconds: number;
  readonly ratio: number;
  /** Largest ratio that counts as no regression. */
  readonly bar: number;
  readonly pass: boolean;
}

/** Runs every micro-benchmark beside the yardstick; returns the exit code. */
export async function runMicro(jsonFile: string | undefined): Promise<number> {
  const results = MICRO_BENCHMARKS.map((benchmark) => microResult(benchmark()));
  for (const { name, nanoseconds, ratio, bar, pass } of results)
    console.log(
      `${name.padEnd(36)} ${nanoseconds.toFixed(1).padStart(8)} ns  ` +
        `${ratio.toFixed(2).padStart(7)} yardsticks, bar ${bar}${pass ? '' : '  MISSED'}`,
    );
  if (jsonFile !== undefined) {
    const environment = await readEnvironment();
    writeFileSync(jsonFile, `${JSON.stringify({ environment, results }, null, 2)}\n`);
  }
  return results.every((result) => result.pass) ? 0 : 1;
}

/** Each round times the benchmark and the yardstick one after the other. */
function microResult(benchmark: MicroBenchmark): MicroResult {
  const yardstick = YARDSTICK();
  timeOf(benchmark, WARM_UP_MS);
  timeOf(yardstick, WARM_UP_MS);
  const times: number[] = [];
  const ratios: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const own = timeOf(benchmark, ROUND_MS);
    times.push(own);
    ratios.push(own / timeOf(yardstick, ROUND_MS));
  }
  const ratio = median(ratios);
  const { name, bar } = benchmark;
  return { name, nanoseconds: median(times), ratio, bar, pass: ratio <= bar };
}

/** Nanoseconds an operation, over at least `milliseconds`. */
function timeOf(benchmark: MicroBenchmark, milliseconds: number): number {
  const startedAt = performance.now();
  let operations = 0;
  let elapsed = 0;
  while (elapsed < milliseconds) {
    operations += benchmark.batch();
    elapsed = performance.now() - startedAt;
  }
  return (elapsed * 1e6) / operations;
}
