import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import {
  DATABASE_START_MS,
  PERSISTENCE_HANG_MS,
  RESTART_BACKOFF_MAX_MS,
  RESTART_BACKOFF_MIN_MS,
  RESTARTS_FRUITLESS_MAX,
} from '@tidewire/core';
import {
  HeartbeatWatch,
  loadWord,
  PERSISTENCE_HEARTBEAT,
  type SharedMemory,
  WorkerControl,
} from '@tidewire/core/threads';
import { Piscina } from 'piscina';
import type { DatabaseConnection } from './postgres-link.js';
import type { PersistenceStatus } from './status.js';

/** The thread's entry file. */
const PERSISTENCE_MAIN: string = new URL('./persistence-main.js', import.meta.url).href;

/** Beyond the deadline of the last flushes: the thread's own end. */
const CLOSE_TIMEOUT_MS = 5000;

interface PersistenceThreadOptions {
  readonly memory: SharedMemory;
  readonly connection: DatabaseConnection;
  readonly takeOver: boolean;
  readonly onStatus: (status: PersistenceStatus) => void;
  /** The thread has ended by a fault of its own, or has hung and was ended; it is started again unless `isGivenUp`. */
  readonly onDown: (cause: unknown, isGivenUp: boolean) => void;
  /** Milliseconds of any clock that never falls. */
  readonly nowMs: () => number;
}

/** A thread that runs. */
interface Run {
  readonly abort: AbortController;
  readonly watch: HeartbeatWatch;
}

/**
 * The owner's side of the persistence thread. One that dies, or hangs, is started again and goes on in the same
 * epoch on new connections: what it had under way is handed over again. One that dies before the
 * records are in memory, or again and again without flushing anything, is given up.
 */
export class PersistenceThread {
  readonly #options: PersistenceThreadOptions;
  readonly #stopping = new AbortController();
  /** The thread is done and has said everything. */
  readonly #ended: Promise<void>;
  #pool: Piscina | undefined;
  #run: Run | undefined;
  #port: MessagePort | undefined;
  /** The epoch of a thread that has recovered. */
  #epoch: number | undefined;
  #hasRecovered = false;
  #stopAtMs: number | undefined;

  constructor(options: PersistenceThreadOptions) {
    this.#options = options;
    this.#ended = this.#keepRunning();
  }

  /** Ends a thread that takes no turns any more, so that it is started again; call it regularly. */
  checkHang(): void {
    if (!this.#run?.watch.isHung(this.#heartbeat(), this.#options.nowMs())) return;
    this.#run.abort.abort(new Error('The persistence thread took no turn for too long.'));
    this.#port?.close(); // a thread that hangs while it loads does not hold the other end
  }

  /**
   * Asks for the last flushes; the status `stopped` tells what was left. Settles at the end. A
   * thread that does not end in time is ended, and says nothing.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#stopAtMs = this.#options.nowMs() + deadlineMs;
    this.#stopping.abort();
    this.#tellStop();
    const late = delay(deadlineMs + CLOSE_TIMEOUT_MS, 'LATE', { ref: false });
    const isLate = (await Promise.race([this.#ended, late])) === 'LATE';
    this.#port?.close();
    await (isLate ? this.#pool?.destroy() : this.#pool?.close());
  }

  async #keepRunning(): Promise<void> {
    for (let fruitless = 0; ; ) {
      const flushed = this.#flushed();
      try {
        return await this.#runOnce();
      } catch (cause) {
        await this.#pool?.destroy();
        if (this.#isTooLate()) return;
        fruitless = this.#flushed() === flushed ? fruitless + 1 : 1;
        const isGivenUp = !this.#hasRecovered || fruitless > RESTARTS_FRUITLESS_MAX;
        this.#options.onDown(cause, isGivenUp);
        if (isGivenUp) return;
        await this.#pause(fruitless);
      }
    }
  }

  async #runOnce(): Promise<void> {
    const { memory, connection, takeOver } = this.#options;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', (status: PersistenceStatus) => this.#onStatus(status));
    const closed = new Promise((resolve) => port1.once('close', resolve));
    const epoch = this.#hasRecovered ? this.#epoch : undefined;
    const task = { memory, connection, takeOver, epoch, port: port2 };
    this.#pool = threadPool();
    const { abort } = this.#watch();
    const run = this.#pool.run(task, { transferList: [port2], signal: abort.signal });
    this.#tellStop();
    try {
      await run;
    } catch (cause) {
      throw abort.signal.aborted ? abort.signal.reason : cause;
    } finally {
      this.#run = undefined;
      await closed; // what it has said is heard
    }
  }

  #watch(): Run {
    const limits = { hangMs: PERSISTENCE_HANG_MS, startMs: DATABASE_START_MS };
    const watch = new HeartbeatWatch(this.#heartbeat(), this.#options.nowMs(), limits);
    this.#run = { abort: new AbortController(), watch };
    return this.#run;
  }

  #heartbeat(): number {
    return loadWord(new Int32Array(this.#options.memory.doorbells), PERSISTENCE_HEARTBEAT);
  }

  #isTooLate(): boolean {
    return this.#stopAtMs !== undefined && this.#options.nowMs() >= this.#stopAtMs;
  }

  #onStatus(status: PersistenceStatus): void {
    if (status.kind === 'opened') this.#epoch = status.epoch;
    if (status.kind === 'recovered') this.#hasRecovered = true;
    this.#options.onStatus(status);
  }

  #tellStop(): void {
    if (this.#stopAtMs === undefined) return;
    const deadlineMs = Math.max(0, this.#stopAtMs - this.#options.nowMs());
    this.#port?.postMessage({ kind: 'stop', deadlineMs });
  }

  /** The first start comes at once, and who stops does not wait. */
  async #pause(fruitless: number): Promise<void> {
    if (fruitless === 1) return;
    const ms = Math.min(RESTART_BACKOFF_MAX_MS, RESTART_BACKOFF_MIN_MS * 2 ** (fruitless - 2));
    await delay(ms, undefined, { signal: this.#stopping.signal }).catch(() => {});
  }

  /** A sum that moves with every flush. */
  #flushed(): number {
    return this.#options.memory.workers.reduce((sum, { control }) => {
      const words = new Int32Array(control);
      const changes = loadWord(words, WorkerControl.CHANGES_FLUSHED);
      return (sum + changes + loadWord(words, WorkerControl.LANE_FLUSHED)) | 0;
    }, 0);
  }
}

/** One for each start: a pool whose thread dies before it is ready starts no other. */
function threadPool(): Piscina {
  return new Piscina({
    filename: PERSISTENCE_MAIN,
    minThreads: 1,
    maxThreads: 1,
    idleTimeout: Number.POSITIVE_INFINITY,
    atomics: 'disabled',
    closeTimeout: CLOSE_TIMEOUT_MS,
    execArgv: ['--enable-source-maps'],
  });
}
