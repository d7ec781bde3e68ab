import { PARTITIONS, partitionOf, STREAM_CREDIT_BYTES } from '@tidewire/core';
import {
  CATCH_UP_RENEW,
  CATCH_UP_RESUME,
  CATCH_UP_SNAPSHOT,
  ownerOf,
} from '@tidewire/core/threads';
import {
  type CatchUpFields,
  type ControlRecord,
  catchUpRecord,
} from '@tidewire/partition-worker/front';
import type { Session } from '../session/session.js';
import type { Delivery, WorkerStream } from '../stream/stream-desk.js';
import { type CatchUpPlan, planBeyond, SNAPSHOT_PLAN } from './catch-up-plan.js';
import type { Subscription } from './subscription.js';

/** What one subscription is being sent of what it missed: a stream of each of its workers. */
export class CatchUp {
  readonly subscription: Subscription;
  readonly deliveries: Set<CatchUpDelivery>;
  readonly #plan: CatchUpPlan;
  /** Partitions that have ended, and the sequence up to which. */
  readonly reached: Map<number, number> = new Map();

  constructor(
    subscription: Subscription,
    options: { plan: CatchUpPlan; workers: number; nowMs: () => number; handler: SliceHandler },
  ) {
    this.subscription = subscription;
    this.#plan = options.plan;
    const { workers } = subscription.topic;
    this.deliveries = new Set(
      workers.map((worker) => new CatchUpDelivery(this, { ...options, worker })),
    );
  }

  /** What is left to be sent, should it be begun anew later. */
  get planLeft(): CatchUpPlan {
    return this.reached.size === 0 ? this.#plan : planBeyond(this.#plan, this.reached);
  }

  /** Entries of a CATCH_UP to this worker: partition, mode and cursor, three numbers each. */
  entriesFor(worker: number, workers: number): number[] {
    const { key, hash } = this.subscription.topic;
    if (key.length > 0) return this.#entry(partitionOf(hash));
    if (this.#plan === SNAPSHOT_PLAN && this.reached.size === 0) return []; // all, from the start
    const entries: number[] = [];
    for (let partition = 0; partition < PARTITIONS; partition++)
      if (ownerOf(partition, workers) === worker && !this.reached.has(partition))
        entries.push(...this.#entry(partition));
    return entries.length > 0 ? entries : this.#ended(worker, workers);
  }

  /** No entries would mean all: of a stream that had ended but for its last word one is said again. */
  #ended(worker: number, workers: number): number[] {
    for (const [partition, sequence] of this.reached)
      if (ownerOf(partition, workers) === worker)
        return [partition, this.#allowed(CATCH_UP_RESUME), sequence];
    return [];
  }

  #entry(partition: number): number[] {
    const mode = this.#allowed(this.#plan.modeOf(partition));
    return [partition, mode, mode === CATCH_UP_SNAPSHOT ? 0 : this.#plan.cursorOf(partition)];
  }

  #allowed(mode: number): number {
    const { isRestricted } = this.subscription;
    return isRestricted && mode === CATCH_UP_RESUME ? CATCH_UP_RENEW : mode;
  }
}

export type SliceHandler = (
  delivery: CatchUpDelivery,
  stream: WorkerStream,
  words: Int32Array,
  wordBytes: Uint8Array,
  at: number,
) => void;

/** The part of a catch-up that one worker sends. */
export class CatchUpDelivery implements Delivery {
  readonly catchUp: CatchUp;
  readonly session: Session;
  readonly streams: Set<WorkerStream>;
  readonly #workers: number;
  readonly #nowMs: () => number;
  readonly #handler: SliceHandler;

  constructor(
    catchUp: CatchUp,
    options: { worker: number; workers: number; nowMs: () => number; handler: SliceHandler },
  ) {
    this.catchUp = catchUp;
    this.session = catchUp.subscription.session;
    this.streams = new Set([{ worker: options.worker, number: 0, owed: 0 }]);
    this.#workers = options.workers;
    this.#nowMs = options.nowMs;
    this.#handler = options.handler;
  }

  request(stream: WorkerStream): ControlRecord {
    const fields: CatchUpFields = {
      topic: this.catchUp.subscription.topic.id,
      salt: Buffer.from(this.session.salt, 'latin1'),
      credit: STREAM_CREDIT_BYTES,
      nowMs: this.#nowMs(),
      entries: this.catchUp.entriesFor(stream.worker, this.#workers),
    };
    return catchUpRecord(stream.number, fields);
  }

  onRecord(stream: WorkerStream, words: Int32Array, wordBytes: Uint8Array, at: number): void {
    this.#handler(this, stream, words, wordBytes, at);
  }

  /** From where it had started, less the partitions that had ended. */
  onLost(): boolean {
    return true;
  }
}
