import { setImmediate as turn } from 'node:timers/promises';
import { Level, type Result } from '@tidewire/schemas';
import { type Ledger, orderOf, valueTextOf, type Write } from './crash-ledger.js';
import { get, put, remove, SAFE } from './operations.js';
import { type OperationInit, RawClient } from './raw-client.js';
import { SeededRandom } from './seeded-random.js';

export const MAP = 'crash';
const KEYS = 10_000;
const ZIPF_EXPONENT = 0.99; // as YCSB
const FRAME_OPERATIONS_MAX = 16;
const UNANSWERED_MAX = 192;
/** SAFE writes must not hold up FAST ones while the database is away. */
const UNANSWERED_SAFE_MAX = 48;
const STALE_MS_MAX = 200n;
/** The first connection's clock is fast, so that only the bound file tells the next server. */
const AHEAD_MS = 4000;
const REPEATABLE = 8;
const FRACTION = 2 ** 24;

/** What all loads of one run share. */
export interface LoadContext {
  readonly ledger: Ledger;
  /** The next connection's. */
  seed: number;
  /** The next write's serial. */
  serial: number;
  /** The newest clock shown by any server process. */
  clock: bigint;
  /** Called at every SAFE answer of level DATABASE. */
  onSafe: () => void;
}

/** The work of one connection: half reads, half writes, by a Zipf distribution over the keys. */
class Connection {
  readonly client: RawClient;
  readonly #node: number;
  readonly #context: LoadContext;
  readonly #random: SeededRandom;
  readonly #repeatable: Write[] = [];
  #stamp = 0n;
  #unanswered = 0;
  #unansweredSafe = 0;
  #isEnded = false;
  #onAnswer: () => void = () => {};

  constructor(client: RawClient, node: number, context: LoadContext) {
    this.client = client;
    this.#node = node;
    this.#context = context;
    this.#random = new SeededRandom(context.seed++);
    void client.closed.then(() => {
      this.#isEnded = true;
      this.#onAnswer();
    });
  }

  /** Works as long as `goes` says, or until the connection ends. */
  async run(goes: () => boolean): Promise<void> {
    while (goes() && !this.#isEnded) {
      this.#sayFrame();
      if (this.#unanswered >= UNANSWERED_MAX) await this.#answered();
      else await turn();
    }
    while (this.#unanswered > 0 && !this.#isEnded) await this.#answered();
  }

  #answered(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
  }

  #sayFrame(): void {
    const drafts = Array.from({ length: 1 + this.#random.below(FRAME_OPERATIONS_MAX) }, () =>
      this.#random.below(2) === 0 ? this.#read() : this.#write(),
    );
    const results = this.client.submit(drafts.map(({ operation }) => operation));
    for (const [i, result] of results.entries()) {
      this.#unanswered++;
      void result.then((answer) => {
        this.#unanswered--;
        drafts[i].onAnswer(answer);
        this.#context.clock = max(this.#context.clock, this.client.clock);
        this.#onAnswer();
      });
    }
  }

  #read(): Draft {
    const { ledger } = this.#context;
    const key = this.#key();
    const atLeast = ledger.visibleOf(key);
    return {
      operation: get(MAP, key),
      onAnswer: (result) => ledger.onRead(key, atLeast, result),
    };
  }

  #write(): Draft {
    const { ledger } = this.#context;
    const isRepeated = this.#random.below(20) === 0 && this.#repeatable.length > 0;
    const write = isRepeated ? this.#random.pick(this.#repeatable) : this.#newWrite();
    ledger.send(write);
    if (write.isSafe) this.#unansweredSafe++;
    return {
      operation: operationOf(write),
      onAnswer: (result) => {
        if (write.isSafe) this.#unansweredSafe--;
        ledger.onAnswer(write, result);
        if (result.level === Level.DATABASE) this.#context.onSafe();
        if (result.refusal === 0 && write.order !== undefined) this.#keep(write);
      },
    };
  }

  #newWrite(): Write {
    const isRemoval = this.#random.below(6) === 0;
    const isStampedByServer = !isRemoval && this.#random.below(8) === 0;
    return {
      key: this.#key(),
      serial: this.#context.serial++,
      isRemoval,
      isSafe: this.#random.below(4) === 0 && this.#unansweredSafe < UNANSWERED_SAFE_MAX,
      order: isStampedByServer ? undefined : orderOf(this.#nextStamp(), this.#node),
      level: 'SENT',
      ackedMs: 0,
    };
  }

  /** Mostly now, sometimes a little ago, so that writes are superseded. */
  #nextStamp(): bigint {
    const now = BigInt(Date.now() + (this.#node === 1 ? AHEAD_MS : 0)) << 16n;
    this.#stamp = max(max(this.#stamp, this.client.clock) + 1n, now);
    if (this.#random.below(8) > 0) return this.#stamp;
    return this.#stamp - ((BigInt(this.#random.below(1000)) * STALE_MS_MAX) << 16n) / 1000n;
  }

  #key(): string {
    const fraction = this.#random.below(FRACTION) / FRACTION;
    return `k${rankOf(fraction)}`;
  }

  /** A few answered writes, for sending again. */
  #keep(write: Write): void {
    if (this.#repeatable.length < REPEATABLE) this.#repeatable.push(write);
    else this.#repeatable[this.#random.below(REPEATABLE)] = write;
  }
}

interface Draft {
  readonly operation: OperationInit;
  readonly onAnswer: (result: Result) => void;
}

/** A load of several connections on one server process. */
export class Load {
  readonly #connections: readonly Connection[];
  #goes = true;
  #running: Promise<unknown> = Promise.resolve();

  private constructor(connections: readonly Connection[]) {
    this.#connections = connections;
    this.resume();
  }

  static async start(url: string, connections: number, context: LoadContext): Promise<Load> {
    const opened = Array.from({ length: connections }, async (_, i) => {
      const client = await RawClient.connect(url, i + 1);
      return new Connection(client, i + 1, context);
    });
    return new Load(await Promise.all(opened));
  }

  /** Resolves once everything sent is answered, or its connection has ended. */
  async pause(): Promise<void> {
    this.#goes = false;
    await this.#running;
  }

  resume(): void {
    this.#goes = true;
    this.#running = Promise.all(this.#connections.map((each) => each.run(() => this.#goes)));
  }

  async end(): Promise<void> {
    for (const { client } of this.#connections) client.close();
    await this.pause();
  }
}

function operationOf(write: Write): OperationInit {
  const { key, order, isSafe } = write;
  const stamped =
    order === undefined ? {} : { stamp: order >> 24n, node: Number(order & 0xffffffn) };
  const more = { ...stamped, ...(isSafe ? SAFE : {}) };
  const value = valueTextOf(write);
  return value === undefined ? remove(MAP, key, more) : put(MAP, key, value, more);
}

/** Upper ends of the keys' shares of 1. */
const SHARES: Float64Array = cumulativeShares();

function cumulativeShares(): Float64Array {
  const shares = new Float64Array(KEYS);
  let sum = 0;
  for (let rank = 0; rank < KEYS; rank++) {
    sum += 1 / (rank + 1) ** ZIPF_EXPONENT;
    shares[rank] = sum;
  }
  return shares.map((share) => share / sum);
}

function rankOf(fraction: number): number {
  let low = 0;
  let high = KEYS - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (SHARES[middle] <= fraction) low = middle + 1;
    else high = middle;
  }
  return low;
}

function max(left: bigint, right: bigint): bigint {
  return left > right ? left : right;
}
