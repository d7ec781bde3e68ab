import { HybridLogicalClock, TICK_INTERVAL_MS } from '@tidewire/core';
import { allocateSharedMemory, type SharedMemory } from '@tidewire/core/threads';
import { Worker } from '@tidewire/partition-worker';
import { Gateway } from '#lib/gateway.js';
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
  readonly #topics = new FakeTopics();
  #salts = 0;

  constructor(options: { workers?: number } = {}) {
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
      random: (count) => new Uint8Array(count).fill(++this.#salts),
      publish: this.#topics.publish,
      http: () => ({ status: '200 OK', body: '{}' }),
      onWork: () => {},
    });
    this.gateway.open({ epoch: 42, store: STORE, bases: new Map() });
    this.workers = this.memory.workers.map(
      (memory) => new Worker(memory, this.memory.doorbells, 1),
    );
    for (const { worker } of this.memory.workers) this.gateway.onWorkerStart(worker, 1);
  }

  /** A client that has said Hello. */
  client(node = 7): FakeClient {
    const client = new FakeClient(this.gateway, this.#topics);
    client.hello(node);
    return client;
  }

  stranger(): FakeClient {
    return new FakeClient(this.gateway, this.#topics);
  }

  /** The next whole second: ticks, reports, and the Progress that follows. */
  second(): void {
    this.nowMs += 1000 - TICK_INTERVAL_MS - (this.nowMs % 1000);
    this.settle();
    this.nowMs += TICK_INTERVAL_MS;
    this.settle();
  }

  /** Steps everyone until nobody has anything to do. */
  settle(): void {
    for (let idle = 0; idle < 2; ) {
      let work = this.gateway.doWork();
      for (const worker of this.workers) work += worker.doWork();
      this.gateway.flush();
      idle = work === 0 ? idle + 1 : 0;
    }
  }
}
