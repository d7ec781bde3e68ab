import { type Client, connect, type TypedMap } from '@tidewire/client/node';
import { keyText, MAP, valueText } from './operation-template.js';
import { type Random, seededRandom } from './random.js';

const TICK_MS = 10;
const REMOVE_SHARE = 0.1;
const VALUE_BYTES = 100;
/** A restart of the server lies within it. */
const TIMEOUT_MS = 120_000;

/** Writers as applications have them: FAST, through the client library, which sends again what was lost. */
export class RetryingWriters {
  /** Sent and not answered yet. */
  outstanding = 0;
  settled = 0;
  readonly #clients: readonly Client[];
  readonly #maps: readonly TypedMap<object>[];
  readonly #keys: number;
  readonly #random: Random;
  readonly #faults: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #serial = 0;

  private constructor(clients: readonly Client[], keys: number, seed: number) {
    this.#clients = clients;
    this.#maps = clients.map((client) => client.map<object>(MAP));
    this.#keys = keys;
    this.#random = seededRandom(seed);
  }

  static async open(options: {
    port: number;
    writers: number;
    /** Of the measured map, so many are written. */
    keys: number;
    seed: number;
  }): Promise<RetryingWriters> {
    const url = `ws://127.0.0.1:${options.port}`;
    const clients = await Promise.all(
      Array.from({ length: options.writers }, () =>
        connect(url, { operationTimeoutMs: TIMEOUT_MS }),
      ),
    );
    return new RetryingWriters(clients, options.keys, options.seed);
  }

  /** Writes about so often, whether answers come or not, until it is stopped. */
  start(writesASecond: number): void {
    const count = Math.max(1, Math.round((writesASecond * TICK_MS) / 1000));
    this.#timer = setInterval(() => this.burst(count), TICK_MS);
  }

  /** So many writes at once. */
  burst(count: number): void {
    for (let i = 0; i < count; i++) void this.#write(this.#maps[i % this.#maps.length]);
  }

  /** Resolves when every write is answered, with what was refused. */
  async stop(): Promise<readonly string[]> {
    clearInterval(this.#timer);
    await this.#allSettled();
    return this.#faults;
  }

  close(): void {
    clearInterval(this.#timer);
    for (const client of this.#clients) client.close();
  }

  #onSettled: () => void = () => {};

  #allSettled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = () => {
        if (this.outstanding === 0) resolve();
      };
      this.#onSettled();
    });
  }

  async #write(map: TypedMap<object>): Promise<void> {
    const key = keyText(Math.floor(this.#random() * this.#keys));
    const isRemoval = this.#random() < REMOVE_SHARE;
    const text = valueText(VALUE_BYTES, String(++this.#serial).padStart(8, '0'));
    this.outstanding++;
    try {
      await (isRemoval ? map.remove(key) : map.putJson(key, text));
    } catch (error) {
      this.#faults.push(`a write failed: ${(error as Error).message}`);
    }
    this.outstanding--;
    this.settled++;
    this.#onSettled();
  }
}
