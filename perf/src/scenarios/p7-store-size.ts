import { ARENA_BYTES_MAX } from '@tidewire/core';
import { FULL, RecordStore } from '@tidewire/partition-worker/store';
import { drawRanks } from '../load/distribution.js';
import { SEED } from '../load/random.js';
import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import { median, type Side } from '../measure/statistics.js';
import { type TidewireTarget, tidewireTarget } from '../measure/targets.js';
import { StoreOperation } from '../micro/store-operation.js';

const KEYS: Readonly<Record<Side, number>> = { ours: 1_000_000, theirs: 1000 };
const STORE_WRITES = 2_000_000;
const STORE_ROUNDS = 3;

/**
 * Write-behind is held still on both sides: with it, a thousand keys coalesce and a million do not,
 * and the figure would be the database's. What it is then stands in the notes.
 */
export const storeSize: Scenario = {
  id: 'P7',
  title: 'writes at 1,000,000 stored keys ÷ at 1,000, write-behind held still',
  unit: 'writes/s',
  bar: 0.6,
  goal: 0.9,
  better: 'higher',
  open: (context) => StoreSizeBench.open(context),
};

class StoreSizeBench implements Bench {
  readonly #bench: LoadBench;
  readonly #targets: Readonly<Record<Side, TidewireTarget>>;

  private constructor(bench: LoadBench, targets: Record<Side, TidewireTarget>) {
    this.#bench = bench;
    this.#targets = targets;
  }

  static async open(context: Context): Promise<StoreSizeBench> {
    const ours = await heldTarget(KEYS.ours);
    const theirs = await heldTarget(KEYS.theirs).catch(async (error) => {
      await ours.stop();
      throw error;
    });
    const start = { ours: () => Promise.resolve(ours), theirs: () => Promise.resolve(theirs) };
    const bench = await LoadBench.open(start, ackedPerSecond, context);
    return new StoreSizeBench(bench, { ours, theirs });
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side);
    const { records } = await this.#targets[side].server.info();
    const faults = records === KEYS[side] ? [] : [`the server holds ${records} records`];
    return { ...sample, faults: [...sample.faults, ...faults] };
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const ratios: number[] = [];
    for (let round = 0; round < STORE_ROUNDS; round++)
      ratios.push(storeWritesPerSecond(KEYS.ours) / storeWritesPerSecond(KEYS.theirs));
    const { notes, faults } = await this.#measureWithDatabase();
    return {
      notes: [`the store alone, in one thread: ratio ${median(ratios).toFixed(2)}`, ...notes],
      faults,
    };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }

  async #measureWithDatabase(): Promise<{ notes: string[]; faults: string[] }> {
    for (const { server } of Object.values(this.#targets)) server.releaseDatabase();
    const theirs = await this.measure('theirs');
    const ours = await this.measure('ours');
    const ratio = (ours.value / theirs.value).toFixed(2);
    return {
      notes: [`write-behind on, all of a million keys being flushed: ratio ${ratio} (1 round)`],
      faults: [...ours.faults, ...theirs.faults],
    };
  }
}

/** Ends without a flush: a million records that were never written behind would take long. */
async function heldTarget(keys: number): Promise<TidewireTarget> {
  const target = await tidewireTarget({ keys, subscribers: 1 }, { writesBehind: false });
  target.server.holdDatabase();
  return { ...target, stop: () => target.server.discard() };
}

/** Overwrites of records in a store of our own, keys drawn uniformly. */
function storeWritesPerSecond(keys: number): number {
  const store = new RecordStore(new SharedArrayBuffer(ARENA_BYTES_MAX));
  const operation = new StoreOperation();
  const ranks = drawRanks('uniform', keys, SEED);
  for (let key = 0; key < keys; key++) mustWrite(operation, store, key);
  const startedAt = performance.now();
  for (let i = 0; i < STORE_WRITES; i++) mustWrite(operation, store, ranks[i % ranks.length]);
  const seconds = (performance.now() - startedAt) / 1000;
  if (store.recordsLive !== keys) throw new Error(`the store holds ${store.recordsLive} records`);
  return STORE_WRITES / seconds;
}

function mustWrite(operation: StoreOperation, store: RecordStore, key: number): void {
  if (operation.write(store, key) === FULL) throw new Error('the arena is full');
}
