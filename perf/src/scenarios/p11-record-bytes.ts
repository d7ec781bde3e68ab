import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { LoadClient } from '../load/load-client.js';
import { runOf } from '../load/plan.js';
import { faultsOf } from '../measure/accounting.js';
import type { Bench, Context, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { redisTarget, type Target } from '../measure/targets.js';
import type { RedisServer } from '../peers/redis.js';
import type { StoreFillPlan, StoreSize } from './store-fill-process.js';

const ENTRY: string = fileURLToPath(new URL('./store-fill-process.js', import.meta.url));
const RECORDS = 1_000_000;
/** An index doubles its segments once within these counts: all loads occur, best and worst. */
const COUNTS: readonly number[] = Array.from({ length: 15 }, (_, i) => 700_000 + 50_000 * i);
const REDIS_CLOSE_MS = 200;

/**
 * Everything that a record costs: stamp, sequence, index, journal. Ours is the worst of the counts
 * around a million, Redis's its figure at a million, where its table is nearly full: its best.
 */
export const recordBytes: Scenario = {
  id: 'P11',
  title: 'memory per record at the worst index load around 1 M records ÷ Redis used_memory per key',
  unit: 'B',
  bar: 1,
  goal: 0.8,
  better: 'lower',
  open: async (context) => RecordBytesBench.open(context),
};

class RecordBytesBench implements Bench {
  readonly #target: Target & { redis: RedisServer };
  readonly #emptyBytes: number;
  #firstKey = 0;

  private constructor(target: Target & { redis: RedisServer }, emptyBytes: number) {
    this.#target = target;
    this.#emptyBytes = emptyBytes;
  }

  static async open(context: Context): Promise<RecordBytesBench> {
    const target = await redisTarget({ keys: RECORDS, distribution: 'sequential' });
    context.progress('filling Redis');
    const emptyBytes = await target.redis.info('used_memory');
    return new RecordBytesBench(target, emptyBytes);
  }

  measure(side: Side): Promise<Sample> {
    return side === 'ours' ? this.#measureStore() : this.#measureRedis();
  }

  async close(): Promise<void> {
    await this.#target.stop();
  }

  async #measureStore(): Promise<Sample> {
    const sizes = await fillStore({ firstKey: this.#firstKey, counts: COUNTS });
    this.#firstKey += 10_000_000; // other keys, so another filling of the partitions, every round
    const perRecord = sizes.map((size) => size.bytesUsed / size.records);
    const missing = sizes.filter((size, index) => size.records !== COUNTS[index]);
    return {
      value: Math.max(...perRecord),
      notes: [
        `best ${Math.min(...perRecord).toFixed(1)}, worst ${Math.max(...perRecord).toFixed(1)} B`,
        ...sizes.filter((size) => size.records % 200_000 === 0).map(describeSize),
      ],
      faults: missing.map((size) => `the store holds ${size.records} records, not as many as put`),
    };
  }

  /** The keys are the same each round; writing them again changes no size. */
  async #measureRedis(): Promise<Sample> {
    const { redis, plan } = this.#target;
    const client = await LoadClient.open(plan);
    const report = await client.run(runOf(RECORDS));
    await client.close();
    await sleep(REDIS_CLOSE_MS); // until Redis has freed the connections' buffers
    const keys = await redis.info('db0');
    const bytes = ((await redis.info('used_memory')) - this.#emptyBytes) / keys;
    const faults = faultsOf(report, plan);
    if (keys !== RECORDS) faults.push(`Redis holds ${keys} keys`);
    return { value: bytes, notes: [`${keys} keys`], faults };
  }
}

function describeSize(size: StoreSize): string {
  const used = (size.bytesUsed / size.records).toFixed(1);
  const resident = (size.residentBytes / size.records).toFixed(1);
  return `${size.records / 1000} k records: ${used} B, resident ${resident} B a record`;
}

async function fillStore(plan: StoreFillPlan): Promise<StoreSize[]> {
  const child = fork(ENTRY, { execArgv: ['--enable-source-maps'] });
  child.send(plan);
  const answer = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (!Array.isArray(answer[0])) throw new Error(`the store's process ended with ${answer[0]}`);
  return answer[0] as StoreSize[];
}
