import { PROBE_INTERVAL_MS } from '@tidewire/core';
import { Doorbell, GATEWAY_DOORBELL, MapTable, type SharedMemory } from '@tidewire/core/threads';
import { BaseKeeper } from './base-keeper.js';
import { CollectionKeeper } from './collection-keeper.js';
import { Errand } from './errand.js';
import { FlushSlots } from './flush-slots.js';
import { Isolator } from './isolate.js';
import type { PersistenceStatus } from './status.js';
import type { Store, StoredRecord, StoreError } from './store.js';
import { WorkerPull } from './worker-pull.js';

/**
 * Writes behind the memory of all workers. An agent of the persistence thread: `doWork` is one
 * synchronous, bounded turn that starts flushes and observes in later turns how they ended, so a
 * test can step it. Each worker has its own batches under way; the workers' keys are disjoint.
 */
export class PersistenceEngine {
  readonly #store: Store;
  readonly #now: () => number;
  readonly #report: (status: PersistenceStatus) => void;
  readonly #pulls: readonly WorkerPull[];
  readonly #bases: BaseKeeper;
  readonly #collection: CollectionKeeper;
  readonly #probe: Errand<void>;
  #isDown: boolean;
  /** Told last. */
  #outage: string | undefined;
  #isFenced = false;
  #probeAtMs: number;

  constructor(options: {
    memory: SharedMemory;
    store: Store;
    /** Milliseconds that never fall, any origin. */
    now: () => number;
    /** At least 0, below 1. */
    random: () => number;
    report: (status: PersistenceStatus) => void;
    /** What the owner believes of the store. */
    isDown: boolean;
    /** A call of the store has settled: a turn would find something. Called outside of turns. */
    onSettled: () => void;
    /** Most flushes at once for which no SAFE write waits, of all workers. */
    backgroundFlushes: number;
  }) {
    this.#store = options.store;
    this.#isDown = options.isDown;
    this.#now = options.now;
    this.#report = options.report;
    const bells = new Int32Array(options.memory.doorbells);
    this.#probeAtMs = options.now() + PROBE_INTERVAL_MS;
    const shared = {
      maps: new MapTable(options.memory.mapTable),
      gateway: new Doorbell(bells, GATEWAY_DOORBELL),
      context: {
        wake: options.onSettled,
        random: options.random,
        onOutcome: (error: StoreError | undefined) => this.#onOutcome(error),
        slots: new FlushSlots(options.backgroundFlushes),
      },
    };
    const onBuried = ({ map, key }: StoredRecord, code: string): void =>
      this.#report({ kind: 'buried', map, key, code });
    this.#pulls = options.memory.workers.map((memory) => {
      const isolator = new Isolator(this.#store, onBuried);
      return new WorkerPull({ memory, ...shared, flush: (records) => isolator.flush(records) });
    });
    const { memory, store } = options;
    const { wake, onOutcome } = shared.context;
    this.#bases = new BaseKeeper({ memory, store, wake, onOutcome });
    this.#collection = new CollectionKeeper({ memory, store, wake, onOutcome });
    this.#probe = new Errand(wake);
  }

  /** Another process writes now; nothing more will be flushed. */
  get isFenced(): boolean {
    return this.#isFenced;
  }

  /** Everything is in the store. */
  get isClean(): boolean {
    return this.#pulls.every((pull) => pull.isClean);
  }

  /** Changes that are in memory alone. */
  get unflushed(): number {
    return this.#pulls.reduce((sum, pull) => sum + pull.unflushed, 0);
  }

  /** From now on flush without waiting for the window. */
  drain(): void {
    for (const pull of this.#pulls) pull.drain();
  }

  /** What a clean end leaves for the next start. No turn follows. Rejects with StoreError. */
  async end(): Promise<void> {
    await this.#bases.end();
  }

  /** One turn. Returns the work done; 0: idle until `hasWork` or `dueInMs`. */
  doWork(): number {
    if (this.#isFenced) return 0;
    const nowMs = this.#now();
    let work = 0;
    for (const pull of this.#pulls) work += pull.doWork(nowMs);
    work += this.#bases.doWork(nowMs) + this.#collection.doWork(nowMs);
    return work + this.#probeStore(nowMs);
  }

  hasWork(): boolean {
    if (this.#probe.hasEnded || this.#bases.hasWork || this.#collection.hasWork) return true;
    return this.#pulls.some((pull) => pull.hasWork());
  }

  dueInMs(): number {
    const dueAtMs = this.#pulls.map((pull) => pull.dueAtMs());
    return Math.max(
      0,
      Math.min(this.#probeAtMs, this.#bases.dueAtMs, this.#collection.dueAtMs, ...dueAtMs) -
        this.#now(),
    );
  }

  /** Finds out that the store is away, back or taken over, also while nothing is written. */
  #probeStore(nowMs: number): number {
    const outcome = this.#probe.take();
    if (outcome !== undefined) {
      this.#onOutcome(outcome.error);
      return 1;
    }
    if (nowMs < this.#probeAtMs) return 0;
    this.#probeAtMs = nowMs + PROBE_INTERVAL_MS;
    if (!this.#isQuiet()) return 0;
    this.#probe.begin(this.#store.probe());
    return 1;
  }

  /** Nothing is under way that will say how the store is. */
  #isQuiet(): boolean {
    if (!this.#probe.isIdle || !this.#bases.isIdle || !this.#collection.isIdle) return false;
    return this.#pulls.every((pull) => pull.isIdle);
  }

  /** Reports what changed, once, and each new reason of an outage: the first may be a symptom. */
  #onOutcome(error: StoreError | undefined): void {
    if (this.#isFenced) return;
    if (error?.kind === 'FENCED') {
      this.#isFenced = true;
      this.#report({ kind: 'fenced', reason: error.message });
    } else if (error !== undefined && !(this.#isDown && error.message === this.#outage)) {
      this.#isDown = true;
      this.#outage = error.message;
      this.#report({ kind: 'down', reason: error.message });
    } else if (error === undefined && this.#isDown) {
      this.#isDown = false;
      this.#report({ kind: 'up' });
    }
  }
}
