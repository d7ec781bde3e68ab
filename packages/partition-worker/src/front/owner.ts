import { RING_BYTES, RING_CONTROL_DIVISOR } from '@tidewire/core';

import {
  Doorbell,
  loadWatermark,
  RingProducer,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';

import { RingShares } from './ring-shares.js';
import { Verdicts } from './verdicts.js';

/** The gateway's end of the rings to one worker, which owns partitions. */
export class Owner {
  readonly worker: number;
  readonly requests: RingProducer;
  readonly requestBytes: Uint8Array;
  readonly shares: RingShares;
  readonly verdicts: Verdicts = new Verdicts();
  readonly interests: RingProducer;
  readonly interestBytes: Uint8Array;
  /** Something was claimed that `publish` has not made visible. */
  hasNews = false;
  /** Control records wait for room: what depends on them must wait, too. */
  isBehind = false;
  readonly #control: Int32Array;
  readonly #doorbell: Doorbell;

  constructor(memory: WorkerMemory) {
    this.worker = memory.worker;
    this.requests = new RingProducer(memory.requestRing, RING_BYTES / 4 / RING_CONTROL_DIVISOR);
    this.shares = new RingShares(this.requests);
    this.requestBytes = new Uint8Array(memory.requestRing);
    this.interests = new RingProducer(memory.interestRing);
    this.interestBytes = new Uint8Array(memory.interestRing);
    this.#control = new Int32Array(memory.control);
    this.#doorbell = new Doorbell(this.#control, WorkerControl.WORKER_DOORBELL);
  }

  /** Every change of the partition up to this sequence is in the database. */
  flushedOf(partition: number): number {
    return loadWatermark(this.#control, WorkerControl.flushedIndex(partition));
  }

  /** Makes visible what was claimed since the last call, and wakes the worker. False: nothing. */
  publish(): boolean {
    if (!this.hasNews) return false;
    this.hasNews = false;
    this.requests.commit();
    this.interests.commit();
    this.#doorbell.ring();
    return true;
  }
}
