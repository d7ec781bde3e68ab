import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { SharedMemory } from '@tidewire/core/threads';
import {
  type DatabaseConnection,
  PERSISTENCE_MAIN,
  type PersistenceStatus,
} from '@tidewire/persistence';
import { Piscina } from 'piscina';

/** Beyond the deadline of the last flushes: the thread's own end. */
const CLOSE_TIMEOUT_MS = 5000;

/** The owner's side of the persistence thread. */
export class PersistenceThread {
  readonly #pool: Piscina;
  readonly #port: MessagePort;
  readonly #task: Promise<void>;

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
    this.#task = this.#pool.run(task, { transferList: [port2] }).catch(options.onDown);
  }

  /** Asks for the last flushes; the status `stopped` tells what was left. Settles at the end. */
  async stop(deadlineMs: number): Promise<void> {
    this.#port.postMessage({ kind: 'stop', deadlineMs });
    await this.#task;
    this.#port.close();
    await this.#pool.close();
  }
}
