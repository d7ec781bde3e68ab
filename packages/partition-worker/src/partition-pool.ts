import {
  Doorbell,
  HEAD,
  loadWord,
  type SharedMemory,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import { Piscina } from 'piscina';

/** How long a worker may take to end its turn after it was told to stop. */
const STOP_TIMEOUT_MS = 5000;
/** Starts of one worker without a request answered in between, after which it is given up. */
const FRUITLESS_STARTS_MAX = 3;

/**
 * The fixed pool of worker threads, one endless task each. A worker that dies is started again on
 * its memory and goes on where it was; one that keeps dying without getting anything done is not.
 */
export class PartitionPool {
  readonly #memory: SharedMemory;
  readonly #onStart: (worker: number, start: number) => void;
  readonly #onDown: (worker: number, cause: unknown, isGivenUp: boolean) => void;
  readonly #pool: Piscina;
  readonly #tasks: Promise<void>[];
  #isStopping = false;

  constructor(options: {
    memory: SharedMemory;
    /** A worker is about to run for the `start`-th time: it waits to be told all interests. */
    onStart: (worker: number, start: number) => void;
    /** A worker has ended without being told to; unless given up, it is started again. */
    onDown: (worker: number, cause: unknown, isGivenUp: boolean) => void;
  }) {
    this.#memory = options.memory;
    this.#onStart = options.onStart;
    this.#onDown = options.onDown;
    const workers = options.memory.workers.length;
    this.#pool = new Piscina({
      filename: new URL('./worker-main.js', import.meta.url).href,
      minThreads: workers,
      maxThreads: workers,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      closeTimeout: STOP_TIMEOUT_MS,
      execArgv: ['--enable-source-maps'],
    });
    this.#tasks = options.memory.workers.map(({ worker }) => this.#run(worker));
  }

  /** Lets every worker finish its turn and ends the threads. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const worker of this.#memory.workers) {
      const control = new Int32Array(worker.control);
      storeWord(control, WorkerControl.STOP, 1);
      new Doorbell(control, WorkerControl.WORKER_DOORBELL).ring();
    }
    await Promise.all(this.#tasks);
    await this.#pool.close();
  }

  async #run(worker: number): Promise<void> {
    const memory = this.#memory.workers[worker];
    const requests = new Int32Array(memory.requestRing);
    let fruitless = 0;
    for (let start = 1; fruitless < FRUITLESS_STARTS_MAX; start++) {
      const head = loadWord(requests, HEAD);
      try {
        this.#onStart(worker, start);
        await this.#pool.run({ memory, doorbells: this.#memory.doorbells, start });
        return;
      } catch (cause) {
        if (this.#isStopping) return;
        fruitless = loadWord(requests, HEAD) === head ? fruitless + 1 : 0;
        this.#onDown(worker, cause, fruitless === FRUITLESS_STARTS_MAX);
      }
    }
  }
}
