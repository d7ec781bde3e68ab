import { setTimeout as delay } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { SharedMemory } from '@tidewire/core/threads';
import { Piscina } from 'piscina';
import type { DatabaseConnection } from './postgres-store.js';
import type { PersistenceStatus } from './status.js';

/** The thread's entry file. */
const PERSISTENCE_MAIN: string = new URL('./persistence-main.js', import.meta.url).href;

/** Beyond the deadline of the last flushes: the thread's own end. */
const CLOSE_TIMEOUT_MS = 5000;

/** The owner's side of the persistence thread. */
export class PersistenceThread {
  readonly #pool: Piscina;
  readonly #port: MessagePort;
  /** The thread is done and has said everything. */
  readonly #ended: Promise<unknown>;

  /** `onDown`: the thread has ended by a fault of its own. */
  constructor(options: {
    memory: SharedMemory;
    connection: DatabaseConnection;
    takeOver: boolean;
    onStatus: (status: PersistenceStatus) => void;
    onDown: (cause: unknown) => void;
  }) {
    const { memory, connection, takeOver } = options;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#port.on('message', options.onStatus);
    this.#pool = new Piscina({
      filename: PERSISTENCE_MAIN,
      minThreads: 1,
      maxThreads: 1,
      idleTimeout: Number.POSITIVE_INFINITY,
      atomics: 'disabled',
      closeTimeout: CLOSE_TIMEOUT_MS,
      execArgv: ['--enable-source-maps'],
    });
    const task = { memory, connection, takeOver, port: port2 };
    const closed = new Promise((resolve) => this.#port.once('close', resolve));
    const done = this.#pool.run(task, { transferList: [port2] }).catch(options.onDown);
    this.#ended = Promise.all([done, closed]);
  }

  /**
   * Asks for the last flushes; the status `stopped` tells what was left. Settles at the end. A
   * thread that does not end in time is ended, and says nothing.
   */
  async stop(deadlineMs: number): Promise<void> {
    this.#port.postMessage({ kind: 'stop', deadlineMs });
    const late = delay(deadlineMs + CLOSE_TIMEOUT_MS, 'LATE', { ref: false });
    const isLate = (await Promise.race([this.#ended, late])) === 'LATE';
    this.#port.close();
    await (isLate ? this.#pool.destroy() : this.#pool.close());
  }
}
