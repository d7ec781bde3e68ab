import { COLLECTION_RETRY_MS, FORGET_ROWS_MAX } from '@tidewire/core';
import {
  Doorbell,
  loadWord,
  readCollectionMarks,
  type SharedMemory,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { Errand } from './errand.js';
import type { Store, StoreError } from './store.js';

type State =
  | { readonly kind: 'IDLE' }
  /** The store is told of the marks of this proposal. */
  | { readonly kind: 'RAISING'; readonly worker: Worker; readonly proposed: number }
  /** The store forgets the tombstones that it has been told of, some at a time. */
  | { readonly kind: 'FORGETTING' };

/**
 * Persistence's side of collecting tombstones, see collection-mark.ts of core: tells the store what
 * is collected, then the worker that it is told, and then has the store forget the rows. What fails
 * is tried again; nothing waits for it but memory that is to be freed.
 */
export class CollectionKeeper {
  readonly #workers: readonly Worker[];
  readonly #store: Store;
  readonly #onOutcome: (error: StoreError | undefined) => void;
  readonly #errand: Errand<number>;
  #state: State = { kind: 'IDLE' };
  /** At the start an earlier process may have left some. */
  #mayForget = true;
  /** Set after a failure. */
  #retryAtMs: number | undefined;

  constructor(options: {
    memory: SharedMemory;
    store: Store;
    wake: () => void;
    /** Told of every outcome, in the turn that observes it. */
    onOutcome: (error: StoreError | undefined) => void;
  }) {
    this.#workers = options.memory.workers.map((memory) => new Worker(memory));
    this.#store = options.store;
    this.#onOutcome = options.onOutcome;
    this.#errand = new Errand(options.wake);
  }

  /** Nothing is under way that will say how the store is. */
  get isIdle(): boolean {
    return this.#errand.isIdle;
  }

  /** True if a turn would find something, time apart. */
  get hasWork(): boolean {
    if (this.#errand.hasEnded) return true;
    return this.#errand.isIdle && this.#retryAtMs === undefined && this.#isAsked;
  }

  /** The time at which a turn is due even if nothing happens. */
  get dueAtMs(): number {
    if (!this.#errand.isIdle) return Number.POSITIVE_INFINITY;
    if (this.#retryAtMs !== undefined) return this.#retryAtMs;
    return this.#isAsked || this.#mayForget ? 0 : Number.POSITIVE_INFINITY;
  }

  /** One turn. Returns the work done. */
  doWork(nowMs: number): number {
    if (!this.#errand.isIdle) return this.#observe(nowMs);
    if (this.#retryAtMs !== undefined && nowMs < this.#retryAtMs) return 0;
    this.#retryAtMs = undefined;
    const worker = this.#workers.find((each) => each.isAsking);
    if (worker !== undefined) this.#raise(worker);
    else if (this.#mayForget) this.#forget();
    else return 0;
    return 1;
  }

  get #isAsked(): boolean {
    return this.#workers.some((worker) => worker.isAsking);
  }

  #raise(worker: Worker): void {
    const { proposed } = worker;
    this.#state = { kind: 'RAISING', worker, proposed };
    const raised = this.#store.raiseCollected(worker.marks());
    this.#errand.begin(raised.then(() => 0));
  }

  #forget(): void {
    this.#state = { kind: 'FORGETTING' };
    this.#errand.begin(this.#store.forgetCollected(FORGET_ROWS_MAX));
  }

  #observe(nowMs: number): number {
    const outcome = this.#errand.take();
    if (outcome === undefined) return 0;
    const state = this.#state;
    this.#state = { kind: 'IDLE' };
    if (outcome.error !== undefined) this.#retryAtMs = nowMs + COLLECTION_RETRY_MS;
    else if (state.kind === 'RAISING') {
      state.worker.commit(state.proposed);
      this.#mayForget = true;
    } else this.#mayForget = outcome.value === FORGET_ROWS_MAX;
    this.#onOutcome(outcome.error);
    return 1;
  }
}

/** The proposals of one worker. */
class Worker {
  readonly #control: Int32Array;
  readonly #doorbell: Doorbell;
  #committed: number;

  constructor(memory: WorkerMemory) {
    this.#control = new Int32Array(memory.control);
    this.#doorbell = new Doorbell(this.#control, WorkerControl.WORKER_DOORBELL);
    this.#committed = loadWord(this.#control, WorkerControl.GC_COMMITTED);
  }

  get isAsking(): boolean {
    return this.proposed !== this.#committed;
  }

  get proposed(): number {
    return loadWord(this.#control, WorkerControl.GC_PROPOSED);
  }

  marks(): ReturnType<typeof readCollectionMarks> {
    return readCollectionMarks(this.#control);
  }

  commit(proposed: number): void {
    this.#committed = proposed;
    storeWord(this.#control, WorkerControl.GC_COMMITTED, proposed);
    this.#doorbell.ring();
  }
}
