import { HybridLogicalClock, TICK_INTERVAL_MS } from '@tidewire/core';
import { allocateSharedMemory, type SharedMemory } from '@tidewire/core/threads';
import { Worker } from '@tidewire/partition-worker';
import type { Denial } from '#lib/access/audit.js';
import type { AccessRules } from '#lib/access/authentication.js';
import { Gateway } from '#lib/gateway.js';
import { DEFAULT_LIMITS, type GatewayLimits } from '#lib/gateway-limits.js';
import { TurnTime } from '#lib/turn-time.js';
import { FakeClient, FakeTopics } from './fake-transport.js';

const START_MS = 1_700_000_000_000;
export const STORE = 4711n;

/** A gateway and its workers in one thread, stepped by hand. */
export class TestBench {
  nowMs = START_MS;
  readonly memory: SharedMemory;
  readonly clock: HybridLogicalClock;
  readonly gateway: Gateway;
  readonly workers: Worker[];
  readonly topics: FakeTopics;
  readonly denials: Denial[] = [];
  readonly #starts: number[];
  readonly #processors: NonNullable<ConstructorParameters<typeof Worker>[3]>;
  #salts = 0;

  constructor(
    options: {
      workers?: number;
      epoch?: number;
      store?: bigint;
      bases?: ReadonlyMap<number, Float64Array>;
      access?: AccessRules | undefined;
      mapTtls?: ReadonlyMap<string, number>;
      limits?: Partial<GatewayLimits>;
      processors?: ConstructorParameters<typeof Worker>[3];
    } = {},
  ) {
    this.memory = allocateSharedMemory({
      workers: options.workers ?? 1,
      arenaBytes: 32 * 1024 * 1024,
    });
    const now = (): number => this.nowMs;
    this.clock = new HybridLogicalClock({ now, driftMs: 5000 });
    this.gateway = new Gateway({
      memory: this.memory,
      clock: this.clock,
      time: new TurnTime(now, now),
      node: 1,
      version: '0.0.0',
      mapTtls: options.mapTtls ?? new Map(),
      limits: { ...DEFAULT_LIMITS, ...options.limits },
      random: (count) => new Uint8Array(count).fill(++this.#salts),
      publish: (topic, bytes) => this.topics.publish(topic, bytes),
      http: () => ({ status: '200 OK', body: '{}' }),
      onWork: () => {},
      onTaken: () => {},
      onDenied: (denial) => this.denials.push(denial),
    });
    this.topics = new FakeTopics(this.gateway);
    const { epoch = 42, store = STORE, bases = new Map() } = options;
    this.gateway.open({ epoch, store, bases }, options.access);
    this.#processors = options.processors ?? [];
    this.gateway.allowProcessors(this.#processors.map(({ name }) => name));
    this.#starts = this.memory.workers.map(() => 0);
    this.workers = [];
    for (const { worker } of this.memory.workers) this.startWorker(worker);
  }

  /** Puts a new worker in the place of one that has died, between two turns. */
  startWorker(worker: number): void {
    const start = ++this.#starts[worker];
    this.gateway.onWorkerStart(worker, start);
    const { workers, doorbells } = this.memory;
    this.workers[worker] = new Worker(workers[worker], doorbells, start, this.#processors);
  }

  /** A client that has said Hello. */
  client(node = 7): FakeClient {
    const client = this.stranger();
    client.hello(node);
    return client;
  }

  stranger(address?: string): FakeClient {
    return new FakeClient(this.gateway, this.topics, address);
  }

  /** The next whole second: ticks, reports, and the Progress that follows. */
  second(): void {
    this.nowMs += 1000 - TICK_INTERVAL_MS - (this.nowMs % 1000);
    this.settle();
    this.nowMs += TICK_INTERVAL_MS;
    this.settle();
  }

  /** One turn of everyone. Returns the work done. */
  turn(): number {
    const work = this.turnUnsent();
    this.gateway.flush();
    return work;
  }

  /** As `turn`; what the gateway has for clients goes out with the next one. */
  turnUnsent(): number {
    let work = this.gateway.doWork();
    for (const worker of this.workers) work += worker.doWork();
    return work;
  }

  /** Steps everyone until nobody has anything to do. */
  settle(): void {
    for (let idle = 0; idle < 2; ) idle = this.turn() === 0 ? idle + 1 : 0;
  }
}
