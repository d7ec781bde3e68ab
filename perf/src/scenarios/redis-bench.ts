import { setTimeout as sleep } from 'node:timers/promises';
import { watchFlush } from '../measure/flush-watch.js';
import { ackedPerSecond, LoadBench } from '../measure/load-bench.js';
import type { Bench, Context, Sample } from '../measure/scenario.js';
import { agreementOf, type Look, lookAtCount, lookAtCpu } from '../measure/second-look.js';
import { median, type Side } from '../measure/statistics.js';
import {
  type LoadShape,
  redisTarget,
  type TidewireOptions,
  tidewireTarget,
} from '../measure/targets.js';
import type { RedisServer } from '../peers/redis.js';
import type { TidewireServer } from '../server-under-test.js';

/** The look at our CPU: so long, in the middle of a longer run. */
const CPU_LOOK_SECONDS = 2;
const CPU_LOOK_AFTER_MS = 700;
const CPU_LOOK_RUN = { settleMs: 500, measureMs: 3000 };

interface RedisBenchOptions extends TidewireOptions {
  /** What our load has otherwise than theirs. */
  readonly ours?: LoadShape;
}

/** Operations a second against Redis under the same load, with second looks at both. */
export class RedisBench implements Bench {
  readonly #bench: LoadBench;
  readonly #redis: RedisServer;
  readonly #server: TidewireServer;
  readonly #shape: LoadShape;
  readonly #writesBehind: boolean;
  readonly #theirs: number[] = [];
  /** What the generator has sent to Redis in the rounds, and what Redis had counted before. */
  #sentToRedis = 0;
  #callsBefore = 0;

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
    const ours = await tidewireTarget({ ...shape, ...options.ours }, options).catch(
      async (error) => {
        await theirs.stop();
        throw error;
      },
    );
    const start = { ours: () => Promise.resolve(ours), theirs: () => Promise.resolve(theirs) };
    const bench = await LoadBench.open(start, ackedPerSecond, context);
    const { server } = ours;
    if (!writesBehind) {
      await watchFlush(server, { keys: ours.plan.keys })();
      server.holdDatabase();
    }
    const opened = new RedisBench({ bench, redis: theirs.redis, server, shape, writesBehind });
    opened.#callsBefore = await theirs.redis.calls(opened.#command);
    return opened;
  }

  async measure(side: Side): Promise<Sample> {
    const sample = await this.#bench.measure(side);
    if (side === 'theirs') {
      this.#theirs.push(sample.value);
      this.#sentToRedis += sample.load?.account.sent ?? 0;
    }
    return sample;
  }

  async finish(): Promise<{ notes: string[]; faults: string[] }> {
    const count = await this.#lookAtCommands();
    const { notes, faults } = await this.#bench.finishWith({ distribution: 'zipf' }, 'Zipf 0.99');
    const looks = [
      count,
      await this.#lookAtRedis(),
      await this.#lookAtCpu(),
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

  get #command(): 'get' | 'set' {
    return (this.#shape.getShare ?? 0) > 0 ? 'get' : 'set';
  }

  /** Redis's own count of the commands of all rounds. */
  async #lookAtCommands(): Promise<Look> {
    const counted = (await this.#redis.calls(this.#command)) - this.#callsBefore;
    const name = `Redis's INFO commandstats, calls of ${this.#command}`;
    return lookAtCount(name, counted, this.#sentToRedis);
  }

  async #lookAtCpu(): Promise<Look> {
    const running = this.#bench.measure('ours', CPU_LOOK_RUN);
    await sleep(CPU_LOOK_AFTER_MS);
    const look = await lookAtCpu(this.#server.pid, CPU_LOOK_SECONDS);
    await running;
    return look;
  }

  async #lookAtRedis(): Promise<Look> {
    const test = this.#command;
    const pipeline = this.#shape.window ?? 64;
    const clients = this.#shape.connections ?? 8;
    const figure = await this.#redis.benchmark(test, { pipeline, clients });
    const own = median(this.#theirs);
    const line = `redis-benchmark -t ${test} -P ${pipeline} -c ${clients} -d 100 -r 100000`;
    const figures = `${Math.round(figure)}/s, own generator ${Math.round(own)}/s`;
    return { note: `${line}: ${figures} (${agreementOf(own, figure).words})`, faults: [] };
  }

  async #lookAtRows(): Promise<Look> {
    const { keys } = this.#bench.targets.ours.plan;
    const rows = await this.#server.countRows();
    const faults = rows === keys ? [] : [`${keys} keys were written, the table has ${rows} rows`];
    return { note: `count in the database: ${rows} rows for ${keys} keys`, faults };
  }
}
