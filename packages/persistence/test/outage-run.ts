import {
  allocateSharedMemory,
  InterestEnd,
  InterestKind,
  loadWord,
  MapTable,
  RingProducer,
  type SharedMemory,
  WorkerControl,
} from '@tidewire/core/threads';
import { Worker } from '@tidewire/partition-worker';
import { Level } from '@tidewire/schemas';
import { PersistenceEngine } from '#lib/persistence-engine.js';
import type { PersistenceStatus } from '#lib/status.js';
import type { Store } from '#lib/store.js';
import { Client, MAP } from './support/client.js';
import { turnOfEventLoop } from './support/fake-store.js';
import { FaultyStore } from './support/faulty-store.js';

const OUTAGE_MS = 3_600_000;
const ARENA_BYTES = 256 * 1024 * 1024;
const SPAN_BYTES = 64 * 1024;
/** Simulated time between two turns. */
const STEP_MS = 400;

export interface OutageReport {
  /** Of the store, once every key was written, and at the end of the outage. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** Attempts that failed. */
  readonly failures: number;
  /** From the return of the database to the answer of a SAFE write: pause, and real time. */
  readonly pauseMs: number;
  readonly answerMs: number;
  readonly seconds: { readonly outage: number; readonly drain: number };
  readonly statuses: readonly PersistenceStatus['kind'][];
  /** Of each key the stamp of its last write. */
  readonly expected: ReadonlyMap<string, number>;
}

/**
 * An hour without a database: a worker and the persistence engine in one thread on a simulated clock, and a
 * real store that is away. `keys` records are overwritten `writes` times, evenly over the hour; then the
 * store comes back, and a SAFE write follows at once.
 */
export class OutageRun {
  readonly #memory: SharedMemory = allocateSharedMemory({ workers: 1, arenaBytes: ARENA_BYTES });
  readonly #control: Int32Array = new Int32Array(this.#memory.workers[0].control);
  readonly #client: Client;
  readonly #worker: Worker;
  readonly #store: FaultyStore;
  readonly #engine: PersistenceEngine;
  readonly #statuses: PersistenceStatus['kind'][] = [];
  readonly #expected: Map<string, number> = new Map();
  #isAway = false;
  #nowMs = 0;
  #stamp = 1_700_000_000_000;

  /** `store` is open. */
  constructor(store: Store) {
    new MapTable(this.#memory.mapTable).register(Buffer.from(MAP), 0, MAP.length);
    const interests = new RingProducer(this.#memory.workers[0].interestRing);
    interests.words[interests.claim(InterestKind.END, InterestEnd.WORDS) + InterestEnd.START] = 1;
    interests.commit();
    this.#client = new Client(this.#memory.workers[0]);
    this.#worker = new Worker(this.#memory.workers[0], this.#memory.doorbells, 1);
    this.#store = new FaultyStore(store, () => (this.#isAway ? 'FAIL' : 'PASS'));
    this.#engine = new PersistenceEngine({
      memory: this.#memory,
      store: this.#store,
      now: () => this.#nowMs,
      random: () => 1 - Number.EPSILON, // the longest pauses
      report: ({ kind }) => this.#statuses.push(kind),
      isDown: false,
      onSettled: () => {},
      backgroundFlushes: 1,
    });
  }

  async run({ writes, keys }: { writes: number; keys: number }): Promise<OutageReport> {
    await this.#drain();
    this.#isAway = true;
    const startedAt = performance.now();
    const names = Array.from({ length: keys }, (_, i) => `key-${i}`);
    await this.#overwrite(names, keys, (keys / (writes + keys)) * OUTAGE_MS);
    const bytesBefore = this.#bytes;
    await this.#overwrite(names, writes, OUTAGE_MS);
    const bytesAfter = this.#bytes;
    const returnedAt = performance.now();
    const { failures } = this.#store;
    this.#isAway = false;
    const answer = await this.#writeSafe();
    await this.#drain();
    const seconds = {
      outage: (returnedAt - startedAt) / 1000,
      drain: (performance.now() - returnedAt) / 1000,
    };
    const statuses = this.#statuses;
    return {
      bytesBefore,
      bytesAfter,
      failures,
      ...answer,
      seconds,
      statuses,
      expected: this.#expected,
    };
  }

  get #bytes(): number {
    return loadWord(this.#control, WorkerControl.SPANS) * SPAN_BYTES;
  }

  /** FAST writes, key by key, until the clock shows `untilMs`. */
  async #overwrite(names: readonly string[], writes: number, untilMs: number): Promise<void> {
    const steps = Math.ceil((untilMs - this.#nowMs) / STEP_MS);
    for (let step = 1, done = 0; step <= steps; step++) {
      for (; done < (writes * step) / steps; done++) {
        const key = names[done % names.length];
        this.#client.write({ key, ms: ++this.#stamp });
        this.#expected.set(key, this.#stamp);
      }
      this.#nowMs += STEP_MS;
      await this.#turn();
      this.#client.ignore();
    }
  }

  async #writeSafe(): Promise<Pick<OutageReport, 'pauseMs' | 'answerMs'>> {
    const sinceMs = this.#nowMs;
    const startedAt = performance.now();
    this.#client.write({ key: 'safe', ms: ++this.#stamp, isSafe: true });
    this.#expected.set('safe', this.#stamp);
    await this.#turn();
    const lanes: number[] = [];
    this.#client.listen(({ result, lane }) => {
      if (result.level === Level.DATABASE && lane !== undefined) lanes.push(lane);
    });
    if (lanes.length !== 1) throw new Error('a SAFE write waits for the database');
    while (loadWord(this.#control, WorkerControl.LANE_FLUSHED) !== lanes[0]) await this.#step();
    return { pauseMs: this.#nowMs - sinceMs, answerMs: performance.now() - startedAt };
  }

  async #drain(): Promise<void> {
    while (!this.#engine.isClean || this.#store.isBusy) await this.#step();
  }

  /** Time passes where nothing else can happen. */
  async #step(): Promise<void> {
    if ((await this.#turn()) > 0 || this.#store.isBusy || this.#engine.hasWork()) return;
    this.#nowMs += this.#engine.dueInMs();
  }

  async #turn(): Promise<number> {
    let work = 0;
    for (let last = 1; last > 0; work += last) last = this.#worker.doWork() + this.#engine.doWork();
    await turnOfEventLoop();
    return work;
  }
}
