import { Code, PARTITIONS } from '@tidewire/core';
import { type Result, StartFrom } from '@tidewire/schemas';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { put, remove, write } from './operations.js';
import { type Followed, ReferenceClient, type Wish } from './reference-client.js';
import type { SeededRandom } from './seeded-random.js';
import { type Change, type Matches, SimulatedHistory } from './simulated-history.js';

const MAP = 'users';
const KEYS = Array.from({ length: 24 }, (_, i) => `key${i}`);
const WORKERS = 2;
const age = { steps: [{ step: { case: 'name' as const, value: 'age' } }] };
const ageOf = (value: string): number => JSON.parse(value).age;

interface Pending {
  readonly key: string;
  readonly value: string | undefined;
  readonly operation: object;
}

/** A server, a writer and clients that come and go, all by chance; every view is checked. */
export class SimulatedWorld {
  bench: TestBench;
  readonly clients: ReferenceClient[];
  readonly history = new SimulatedHistory();
  restarts = 0;
  readonly #random: SeededRandom;
  #writer: FakeClient;
  #taken = 0;
  #lastId = 0;
  #values = 0;
  readonly #pending: Map<number, Pending> = new Map();
  readonly #connected: Set<ReferenceClient> = new Set();
  readonly #matches: WeakMap<Followed, Matches> = new WeakMap();
  readonly #bases: Map<number, Float64Array> = new Map();

  constructor(random: SeededRandom) {
    this.#random = random;
    this.bench = new TestBench({ workers: WORKERS });
    this.#writer = this.bench.client(1);
    this.clients = [2, 3, 4, 5].map((node) => new ReferenceClient(this.bench, node));
    for (const client of this.clients) {
      this.#connected.add(client);
      client.onProgress = (delivered) => this.#check(client, delivered);
    }
  }

  step(): void {
    const client = this.#random.pick(this.clients);
    const dice = this.#random.below(200);
    if (dice < 70) this.#write(1 + this.#random.below(8), 0);
    else if (dice < 74) this.#write(120, 6000);
    else if (dice < 75) this.#flood();
    else if (dice < 105) this.bench.nowMs += 10 + this.#random.below(400);
    else if (dice < 125) this.#follow(client);
    else if (dice < 135) this.#unfollow(client);
    else if (dice < 147) this.#disconnect(client);
    else if (dice < 165) this.#connect(client);
    else if (dice < 172) client.connection.isStalled = true;
    else if (dice < 190) this.#read(client);
    else if (dice < 193) this.bench.startWorker(this.#random.below(WORKERS));
    else if (dice < 194) this.#restart();
    for (let turns = this.#random.below(4); turns > 0; turns--) this.#turn();
  }

  /** Lets everybody read to the end, and compares every view with what stands. */
  converge(): void {
    for (const client of this.clients) {
      this.#connect(client);
      client.connection.isStalled = false;
      client.connection.read();
    }
    this.bench.settle();
    this.bench.second();
    this.bench.second();
    this.#take();
    for (const client of this.clients) {
      if (client.isLagging) throw new Error('a client lags that has read everything');
      for (const one of client.followed.values()) this.#compare(one);
    }
  }

  close(): void {
    for (const client of this.clients) this.#disconnect(client);
    this.bench.settle();
  }

  #compare(one: Followed): void {
    if (!one.isDone) throw new Error(`subscription ${one.id} is not complete`);
    const expected = this.history.standing(this.#matches.get(one)!);
    const held = new Map([...one.view.states].map(([key, { value }]) => [key, value]));
    for (const [key, value] of held)
      if (expected.get(key) !== value)
        throw new Error(`${one.id} holds ${key} ${value}, not ${expected.get(key)}`);
    if (one.wish.start !== StartFrom.NOW && held.size !== expected.size)
      throw new Error(`${one.id} holds ${[...held.keys()]}, not ${[...expected.keys()]}`);
  }

  #check(client: ReferenceClient, delivered: ReadonlyMap<number, bigint>): void {
    for (const one of client.followed.values()) {
      if (!one.isDone || one.wish.start === StartFrom.NOW) continue;
      const fault = this.history.faultOf(one.view, this.#matches.get(one)!, delivered);
      if (fault !== undefined) throw new Error(`Progress before its events: ${fault}`);
    }
  }

  #turn(): void {
    this.bench.turn();
    this.#take();
  }

  #take(): void {
    this.#takeAnswers();
    for (const client of this.clients) client.take();
  }

  /** Before anybody takes an event: what the writer was answered is what others may hear. */
  #takeAnswers(): void {
    const { frames } = this.#writer;
    for (; this.#taken < frames.length; this.#taken++) {
      const { body } = frames[this.#taken];
      if (body.case === 'results') for (const result of body.value.results) this.#onResult(result);
    }
  }

  #onResult({ requestId, outcome, partition, sequence }: Result): void {
    const pending = this.#pending.get(requestId);
    this.#pending.delete(requestId);
    if (pending === undefined || outcome !== Code.APPLIED) return;
    this.history.add({ ...pending, partition, sequence });
  }

  #write(count: number, padding: number): void {
    while (this.#pending.size > 400) this.#turn();
    const operations = Array.from({ length: count }, () => this.#operation(padding));
    write(this.#writer, ...operations.map(({ operation }) => operation));
  }

  /** More changes than a journal holds. */
  #flood(): void {
    for (let i = 0; i < 12; i++) {
      this.#write(200, 0);
      while (this.#pending.size > 0) this.#turn();
    }
  }

  #operation(padding: number): Pending {
    const key = this.#random.pick(KEYS);
    const isRemove = this.#random.chance(20);
    const fields = { n: ++this.#values, age: this.#random.below(100), pad: 'x'.repeat(padding) };
    const value = isRemove ? undefined : JSON.stringify(fields);
    const operation = value === undefined ? remove(key, MAP) : put(key, value, { map: MAP });
    const pending = { key, value, operation };
    this.#pending.set((operation as { requestId: number }).requestId, pending);
    return pending;
  }

  #follow(client: ReferenceClient): void {
    if (!this.#connected.has(client) || client.followed.size >= 6) return;
    const { wish, matches } = this.#wish();
    this.#matches.set(client.follow(++this.#lastId, wish), matches);
  }

  #wish(): { wish: Wish; matches: Matches } {
    const start = this.#random.chance(25) ? StartFrom.NOW : StartFrom.SNAPSHOT;
    const maxHz = this.#random.chance(30) ? this.#random.pick([1, 5, 50]) : 0;
    const common = { map: MAP, start, maxHz };
    const number = this.#random.pick([20, 50, 80]);
    const literal = { literal: { case: 'number' as const, value: number } };
    const over = { test: { case: 'gt' as const, value: { field: age, literal } } };
    const wanted = this.#random.pick(KEYS);
    switch (this.#random.below(4)) {
      case 0:
        return { wish: common, matches: () => true };
      case 1:
        return { wish: { ...common, key: wanted }, matches: (key) => key === wanted };
      case 2:
        return {
          wish: { ...common, where: over, withOld: this.#random.chance(50) },
          matches: (_, value) => ageOf(value) > number,
        };
      default:
        return {
          wish: { ...common, where: { test: { case: 'not', value: over } } },
          matches: (_, value) => ageOf(value) <= number,
        };
    }
  }

  #unfollow(client: ReferenceClient): void {
    this.#takeAnswers();
    const ids = [...client.followed.keys()];
    if (ids.length > 0 && this.#connected.has(client)) client.unfollow(this.#random.pick(ids));
  }

  #disconnect(client: ReferenceClient): void {
    this.#takeAnswers();
    if (this.#connected.delete(client)) client.disconnect();
  }

  /** One that was closed for its slowness comes back as any other. */
  #connect(client: ReferenceClient): void {
    if (client.connection.closedWith !== undefined) this.#disconnect(client);
    if (this.#connected.has(client)) return;
    this.#connected.add(client);
    client.connect(this.bench);
  }

  #read(client: ReferenceClient): void {
    if (!this.#connected.has(client)) return;
    const isAll = this.#random.chance(50);
    client.connection.read(isAll ? Number.POSITIVE_INFINITY : this.#random.below(300_000));
    if (isAll) client.connection.isStalled = false;
  }

  /** The process dies, some changes with it; another one begins with what was kept. */
  #restart(): void {
    this.restarts++;
    while (this.#pending.size > 0) this.#turn();
    for (const client of this.clients) this.#disconnect(client);
    this.history.lose(() => this.#random.chance(10));
    const base = new Float64Array(PARTITIONS);
    for (const { partition, sequence } of this.history.changes) base[partition] = Number(sequence);
    this.#bases.set(41 + this.restarts, base);
    const nowMs = this.bench.nowMs + 1000;
    this.bench = new TestBench({ workers: WORKERS, epoch: 42 + this.restarts, bases: this.#bases });
    this.bench.nowMs = nowMs;
    this.#writer = this.bench.client(1);
    this.#replay(this.history.changes);
    this.#taken = this.#writer.frames.length;
  }

  /** Recovery: the same changes, with the same sequences. */
  #replay(changes: readonly Change[]): void {
    for (let i = 0; i < changes.length; i += 100) {
      write(this.#writer, ...changes.slice(i, i + 100).map(({ operation }) => operation));
      this.bench.settle();
    }
    const replayed = this.#writer.results.map(
      ({ partition, sequence }) => `${partition}/${sequence}`,
    );
    const expected = changes.map(({ partition, sequence }) => `${partition}/${sequence}`);
    if (replayed.sort().join() !== expected.sort().join())
      throw new Error('the replay gave other sequences');
  }
}
