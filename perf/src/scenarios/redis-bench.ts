import { watchFlush } from '../measure/flush-watch.js';
import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { Bench, Context, Sample } from '../measure/scenario.js';
import { median, type Side } from '../measure/statistics.js';
import { type LoadShape, redisTarget, type TidewireOptions, tidewireTarget } from '../measure/targets.js';
import type { RedisServer } from '../peers/redis.js';
import type { TidewireServer } from '../server-under-test.js';

interface Look {
  readonly note: string;
  readonly faults: readonly string[];
}

interface RedisBenchOptions extends TidewireOptions {
  /** Where our load differs. */
  readonly ours?: LoadShape;
}

/** Two looks at one server should agree within this. */
const AGREEMENT = 0.1;

/** Operations a second against Redis under the same load, with second looks at both. */
export class RedisBench implements Bench {
  readonly #bench: LoadBench;
  readonly #redis: RedisServer;
  readonly #server: TidewireServer;
  readonly #shape: LoadShape;
  readonly #writesBehind: boolean;
  readonly #theirs: number[] = [];

  private constructor(options: {
    bench: LoadBench;
    redis: RedisServer;
    server: TidewireServer;
    shape: LoadShape;
    writesBehind: boolean;
  }) {
    this.#bench = options.bench;
    this.#redis = options.redis;
    this.#server = options.server;
    this.#shape = options.shape;
    this.#writesBehind = options.writesBehind;
  }

  /**
   * `shape`: the load of both sides. Without `writesBehind` our database is held still once the
   * store is filled, so that the server has nowhere to write to.
   */
  static async open(
    context: Context,
    shape: LoadShape,
    options: RedisBenchOptions = {},
  ): Promise<RedisBench> {
    const { writesBehind = true } = options;
    const theirs = await redisTarget(shape);
    const ours = await tidewireTarget({ ...shape, ...options.ours }, options).catch(async (error) => {
      await theirs.stop();
      throw error;
    });
    const start = { ours: () => Promise.resolve(ours), theirs: () => Promise.resolve(theirs) };
    const bench = await LoadBench.open(start, ackedPerSecond, context);
    const { server } = ours;
    if (!writesBehind) {
      await watchFlush(server, { keys: ours.plan.keys })();
      server.holdDatabase();
    }
    return new RedisBench({ bench, redis: theirs.redis, server, shape, writesBehind });
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side);
    if (side === 'theirs') this.#theirs.push(sample.value);
    return sample;
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const { notes, faults } = await this.#bench.finishWith({ distribution: 'zipf' }, 'Zipf 0.99');
    const looks = [
      await this.#lookAtRedis(),
      ...(this.#writesBehind ? [await this.#lookAtRows()] : []),
    ];
    return {
      notes: [...notes, ...looks.map((look) => look.note)],
      faults: [...faults, ...looks.flatMap((look) => look.faults)],
    };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }

  async #lookAtRedis(): Promise<Look> {
    const test = (this.#shape.getShare ?? 0) > 0 ? 'get' : 'set';
    const pipeline = this.#shape.window ?? 64;
    const clients = this.#shape.connections ?? 8;
    const figure = await this.#redis.benchmark(test, { pipeline, clients });
    const own = median(this.#theirs);
    const away = Math.abs(figure - own) / own;
    const verdict = away <= AGREEMENT ? 'within 10 %' : `${Math.round(100 * away)} % away`;
    const line = `redis-benchmark -t ${test} -P ${pipeline} -c ${clients} -d 100 -r 100000`;
    const figures = `${Math.round(figure)}/s, own generator ${Math.round(own)}/s`;
    return { note: `${line}: ${figures} (${verdict})`, faults: [] };
  }

  async #lookAtRows(): Promise<Look> {
    const { keys } = this.#bench.targets.ours.plan;
    const rows = await this.#server.countRows();
    const faults = rows === keys ? [] : [`${keys} keys were written, the table has ${rows} rows`];
    return { note: `count in the database: ${rows} rows for ${keys} keys`, faults };
  }
}
