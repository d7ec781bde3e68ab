import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { Bench, Context, Sample } from '../measure/scenario.js';
import { median, type Side } from '../measure/statistics.js';
import { type LoadShape, redisTarget, tidewireTarget } from '../measure/targets.js';
import type { RedisServer } from '../peers/redis.js';

/** Two looks at one server should agree within this. */
const AGREEMENT = 0.1;

/** Operations a second against Redis under the same load, with redis-benchmark as a second look. */
export class RedisBench implements Bench {
  readonly #bench: LoadBench;
  readonly #redis: RedisServer;
  readonly #shape: LoadShape;
  readonly #theirs: number[] = [];

  private constructor(bench: LoadBench, redis: RedisServer, shape: LoadShape) {
    this.#bench = bench;
    this.#redis = redis;
    this.#shape = shape;
  }

  /** `shape`: the load of both sides; `flags`: of our server. */
  static async open(
    context: Context,
    shape: LoadShape,
    flags: readonly string[] = [],
  ): Promise<RedisBench> {
    const target = await redisTarget(shape);
    const start = {
      ours: () => tidewireTarget(shape, flags),
      theirs: () => Promise.resolve(target),
    };
    return new RedisBench(
      await LoadBench.open(start, ackedPerSecond, context),
      target.redis,
      shape,
    );
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side);
    if (side === 'theirs') this.#theirs.push(sample.value);
    return sample;
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const { notes, faults } = await this.#bench.finishWith({ distribution: 'zipf' }, 'Zipf 0.99');
    return { notes: [...notes, await this.#secondLook()], faults };
  }

  async close(): Promise<void> {
    await this.#bench.close();
  }

  async #secondLook(): Promise<string> {
    const test = (this.#shape.getShare ?? 0) > 0 ? 'get' : 'set';
    const pipeline = this.#shape.window ?? 64;
    const clients = this.#shape.connections ?? 8;
    const figure = await this.#redis.benchmark(test, { pipeline, clients });
    const own = median(this.#theirs);
    const away = Math.abs(figure - own) / own;
    const verdict = away <= AGREEMENT ? 'within 10 %' : `${Math.round(100 * away)} % away`;
    const line = `redis-benchmark -t ${test} -P ${pipeline} -c ${clients} -d 100 -r 100000`;
    return `${line}: ${Math.round(figure)}/s, own generator ${Math.round(own)}/s (${verdict})`;
  }
}
