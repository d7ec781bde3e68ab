import type { Sample, Scenario } from '../measure/scenario.js';
import { RawDatabaseBench } from './raw-database-bench.js';
import type { RawTable } from './raw-table.js';

const IN_FLIGHT = 1024;
const CONNECTIONS = 8;

/** Theirs is handed the rows in batches as large as all that ours has in flight. */
export const safeWrites: Scenario = {
  id: 'P22',
  title: 'acked SAFE writes, 1,024 in flight ÷ upserts of 1,024 rows by the same driver',
  unit: 'writes/s',
  bar: 0.6,
  goal: 0.9,
  better: 'higher',
  open: (context) =>
    RawDatabaseBench.open(context, {
      shape: { connections: CONNECTIONS, window: IN_FLIGHT / CONNECTIONS, safe: true },
      figure: (load) => load.acked / load.seconds,
      theirs: upsertBatches,
    }),
};

async function upsertBatches(
  table: RawTable,
  endAt: number,
): Promise<Pick<Sample, 'value' | 'notes'>> {
  const startedAt = performance.now();
  let batches = 0;
  for (; performance.now() < endAt; batches++) await table.upsert(IN_FLIGHT);
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    value: (batches * IN_FLIGHT) / seconds,
    notes: [`${batches} statements of ${IN_FLIGHT} rows, one connection, one after another`],
  };
}
