import { createHash } from 'node:crypto';
import { WORKER_HANG_MS } from '@tidewire/core';
import {
  Doorbell,
  HEAD,
  HeartbeatWatch,
  loadWord,
  RingConsumer,
  type SharedMemory,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import { Piscina } from 'piscina';
import { type Deaths, judge, NO_DEATHS, type Verdict } from './restart-policy.js';

/** How long a worker may take to end its turn after it was told to stop. */
const STOP_TIMEOUT_MS = 5000;

/** Entry of a thread that takes the place of a worker that is given up. */
const HAND_OVER_MAIN: string = new URL('./hand-over-main.js', import.meta.url).href;

/** Threads that have loaded all code and wait for a death: starting one takes far longer. */
const SPARES = 1;

/** What the owner of a pool hears of a death. */
export interface WorkerDown {
  readonly worker: number;
  readonly cause: unknown;
  /** It took no turn for too long and was ended. */
  readonly isHung: boolean;
  /** It is not started again. */
  readonly isGivenUp: boolean;
  /** SHA-256 of the operation that is answered POISON, since it has ended two workers. */
  readonly poison: string | undefined;
}

export interface WorkerThreadsOptions {
  readonly memory: SharedMemory;
  /** URL of the ES module with the processors. */
  readonly processors?: string | undefined;
  /** How long a worker may take no turn. Default WORKER_HANG_MS. */
  readonly hangMs?: number | undefined;
  /** Most JavaScript heap of a worker, in MiB; beyond it the worker dies. Default: what Node gives. */
  readonly heapMiB?: number | undefined;
  /** A worker is about to run for the `start`-th time: it waits to be told all interests. */
  readonly onStart: (worker: number, start: number) => void;
  /** A worker has ended without being told to. */
  readonly onDown: (down: WorkerDown) => void;
  /** Milliseconds of any clock that never falls. */
  readonly nowMs: () => number;
  readonly wait: (ms: number) => Promise<void>;
}

/** A worker thread that runs. */
interface Run {
  readonly startedMs: number;
  /** Operations that had been executed before it. */
  readonly operations: number;
  readonly abort: AbortController;
  readonly watch: HeartbeatWatch;
  isHung: boolean;
}

/**
 * The fixed pool of worker threads, one endless task each. A worker that dies, or hangs, is started
 * again on its memory and goes on where it was, see restart-policy.ts; one that keeps dying without
 * executing anything is given up. An operation that ends two workers is skipped.
 */
export class WorkerThreads {
  readonly #options: WorkerThreadsOptions;
  readonly #pool: Piscina;
  readonly #tasks: Promise<void>[];
  readonly #runs: (Run | undefined)[];
  #isStopping = false;

  constructor(options: WorkerThreadsOptions) {
    this.#options = options;
    const workers = options.memory.workers.length;
    this.#pool = new Piscina({
      filename: new URL('./worker-main.js', import.meta.url).href,
      minThreads: workers + SPARES,
      maxThreads: workers + SPARES,
      concurrentTasksPerWorker: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      closeTimeout: STOP_TIMEOUT_MS,
      execArgv: ['--enable-source-maps'],
      ...(options.heapMiB !== undefined && {
        resourceLimits: { maxOldGenerationSizeMb: options.heapMiB },
      }),
    });
    this.#runs = options.memory.workers.map(() => undefined);
    this.#tasks = options.memory.workers.map(({ worker }) => this.#keepRunning(worker));
  }

  /** Ends workers that take no turns any more, so that they are started again; call it regularly. */
  checkHangs(): void {
    const nowMs = this.#options.nowMs();
    this.#runs.forEach((run, worker) => {
      if (run === undefined || !run.watch.isHung(this.#heartbeat(worker), nowMs)) return;
      run.isHung = true;
      run.abort.abort();
    });
  }

  /** Lets every worker finish its turn and ends the threads. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const worker of this.#options.memory.workers) {
      const control = new Int32Array(worker.control);
      storeWord(control, WorkerControl.STOP, 1);
      new Doorbell(control, WorkerControl.WORKER_DOORBELL).ring();
    }
    await Promise.all(this.#tasks);
    await this.#pool.close();
  }

  async #keepRunning(worker: number): Promise<void> {
    let deaths = NO_DEATHS;
    for (let start = 1; !this.#isStopping; start++) {
      const run = this.#runOf(worker);
      try {
        await this.#run(worker, start, run);
        return;
      } catch (cause) {
        if (this.#isStopping) return;
        const after = this.#onDeath(worker, run, deaths, cause);
        if (after.verdict.kind === 'GIVE_UP') return await this.#handOver(worker);
        deaths = after.deaths;
        if (after.verdict.delayMs > 0) await this.#options.wait(after.verdict.delayMs);
      }
    }
  }

  async #run(worker: number, start: number, run: Run): Promise<void> {
    const { memory, onStart } = this.#options;
    onStart(worker, start);
    this.#runs[worker] = run;
    try {
      const task = {
        memory: memory.workers[worker],
        doorbells: memory.doorbells,
        start,
        processors: this.#options.processors,
      };
      await this.#pool.run(task, { signal: run.abort.signal });
    } finally {
      this.#runs[worker] = undefined;
    }
  }

  /** What the worker has changed is still written behind; its requests are not answered any more. */
  async #handOver(worker: number): Promise<void> {
    const { memory } = this.#options;
    const run = this.#runOf(worker);
    this.#runs[worker] = run;
    const task = { memory: memory.workers[worker], doorbells: memory.doorbells };
    await this.#pool
      .run(task, { filename: HAND_OVER_MAIN, signal: run.abort.signal })
      .catch(() => {}); // the owner knows that the worker is lost, and now its changes are too
    this.#runs[worker] = undefined;
  }

  #onDeath(
    worker: number,
    run: Run,
    before: Deaths,
    cause: unknown,
  ): { deaths: Deaths; verdict: Verdict } {
    const control = this.#control(worker);
    const { isHung } = run;
    const isExecuting = loadWord(control, WorkerControl.IS_EXECUTING) !== 0;
    const endedMs = isHung ? run.watch.seenAtMs : this.#options.nowMs();
    const after = judge(before, {
      hasExecuted: loadWord(control, WorkerControl.OPERATIONS) !== run.operations,
      livedMs: endedMs - run.startedMs,
      operationAt: isExecuting ? this.#head(worker) : undefined,
    });
    const { kind } = after.verdict;
    // The new worker reads the mark when it attaches; the thread that dies has stored its last. What it was
    // executing is no longer under way: the next one may die before it has attached.
    storeWord(control, WorkerControl.IS_EXECUTING, 0);
    storeWord(control, WorkerControl.POISONED, kind === 'SKIP' ? 1 : 0);
    const poison = kind === 'SKIP' ? this.#hashOfNext(worker) : undefined;
    this.#options.onDown({ worker, cause, isHung, isGivenUp: kind === 'GIVE_UP', poison });
    return after;
  }

  #runOf(worker: number): Run {
    const { hangMs = WORKER_HANG_MS, nowMs } = this.#options;
    const startedMs = nowMs();
    const limits = { hangMs, startMs: WORKER_HANG_MS };
    return {
      startedMs,
      operations: loadWord(this.#control(worker), WorkerControl.OPERATIONS),
      abort: new AbortController(),
      watch: new HeartbeatWatch(this.#heartbeat(worker), startedMs, limits),
      isHung: false,
    };
  }

  /** Names the operation at the head of the ring without showing anything of it. */
  #hashOfNext(worker: number): string {
    const ring = new RingConsumer(this.#options.memory.workers[worker].requestRing);
    const start = ring.next() ? ring.index : 0;
    const bytes = new Uint8Array(ring.words.buffer, start * 4, ring.bodyWords * 4);
    return createHash('sha256').update(bytes).digest('hex');
  }

  #control(worker: number): Int32Array {
    return new Int32Array(this.#options.memory.workers[worker].control);
  }

  #heartbeat(worker: number): number {
    return loadWord(this.#control(worker), WorkerControl.HEARTBEAT);
  }

  /** Up to where the worker's requests are done. */
  #head(worker: number): number {
    return loadWord(new Int32Array(this.#options.memory.workers[worker].requestRing), HEAD);
  }
}
