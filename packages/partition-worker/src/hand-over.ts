import { PARTITIONS } from '@tidewire/core';
import {
  Doorbell,
  loadWord,
  ownerOf,
  PERSISTENCE_DOORBELL,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { PersistenceQueue } from './persistence-queue.js';
import { RecordStore } from './store/record-store.js';

const SLEEP_MS = 50;

/**
 * What takes the place of a worker that is given up: it serves write-behind, so that what the worker
 * has changed reaches the store before the process ends, and executes nothing. So whatever keeps
 * ending the worker, an operation, a processor, a subscription, does not end this one.
 */
export class HandOver {
  readonly #control: Int32Array;
  readonly #doorbell: Doorbell;
  readonly #queue: PersistenceQueue;

  /** REQUIRES: the worker's last thread has ended. Settles what was under way in its store. */
  constructor(memory: WorkerMemory, doorbells: SharedArrayBuffer) {
    this.#control = new Int32Array(memory.control);
    this.#doorbell = new Doorbell(this.#control, WorkerControl.WORKER_DOORBELL);
    this.#queue = new PersistenceQueue({
      store: new RecordStore(memory.arena),
      control: this.#control,
      batchRing: memory.batchRing,
      persistenceDoorbell: new Doorbell(new Int32Array(doorbells), PERSISTENCE_DOORBELL),
      partitions: Array.from({ length: PARTITIONS }, (_, partition) => partition).filter(
        (partition) => ownerOf(partition, memory.workers) === memory.worker,
      ),
    });
    // The worker counts its changes once a turn, and may have died in the middle of one.
    const handed = this.#control[WorkerControl.CHANGES_HANDED];
    storeWord(this.#control, WorkerControl.CHANGES, (handed + this.#queue.dirtyCount()) | 0);
  }

  get isStopping(): boolean {
    return loadWord(this.#control, WorkerControl.STOP) !== 0;
  }

  /** One bounded turn. Returns the work done. */
  doWork(): number {
    storeWord(this.#control, WorkerControl.HEARTBEAT, this.#control[WorkerControl.HEARTBEAT] + 1);
    return this.#queue.doWork();
  }

  /** Blocks the thread until there is something to do. */
  sleep(): void {
    this.#doorbell.sleep(() => this.isStopping || this.#queue.hasWork(), SLEEP_MS);
  }
}
