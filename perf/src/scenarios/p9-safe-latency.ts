import { percentileOf } from '../measure/latency-figure.js';
import type { Sample, Scenario } from '../measure/scenario.js';
import { median } from '../measure/statistics.js';
import { RawDatabaseBench } from './raw-database-bench.js';
import type { RawTable } from './raw-table.js';

/** One write at a time, nothing else going on: what durability costs a single caller. */
export const safeLatency: Scenario = {
  id: 'P9',
  title: 'SAFE ack latency p50, one write at a time ÷ one-row commit by the same driver',
  unit: 'µs',
  bar: 2,
  goal: 1.2,
  better: 'lower',
  open: (context) =>
    RawDatabaseBench.open(context, {
      shape: { connections: 1, window: 1, safe: true },
      figure: (load) => percentileOf(load, 50),
      theirs: commitOneByOne,
    }),
};

async function commitOneByOne(
  table: RawTable,
  endAt: number,
): Promise<Pick<Sample, 'value' | 'notes'>> {
  const micros: number[] = [];
  for (let before = performance.now(); before < endAt; ) {
    await table.upsert(1);
    const now = performance.now();
    micros.push((now - before) * 1000);
    before = now;
  }
  return { value: median(micros), notes: [`${micros.length} commits, one after another`] };
}
