import { InvariantError, OUTBOUND_RECORDS_A_TURN } from '@tidewire/core';
import {
  loadWord,
  OutboundKind,
  RESULT_FORBIDDEN,
  RESULT_WAITS,
  ResultMessage,
  RingConsumer,
  SubscribedMessage,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import type { AnswerBatch } from './answer-batch.js';
import type { ConnectionManager } from './connection-manager.js';
import { PendingAcks } from './pending-acks.js';
import type { Session } from './session.js';
import type { StreamDesk } from './stream-desk.js';
import type { SubscriptionService } from './subscription-service.js';

/** The gateway's end of one worker's outbound ring, and the SAFE results that wait for it. */
export class OutboundReader {
  readonly #worker: number;
  readonly #ring: RingConsumer;
  readonly #ringBytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #pending: PendingAcks = new PendingAcks();
  readonly #answers: AnswerBatch;
  readonly #subscriptions: SubscriptionService;
  readonly #queries: StreamDesk;
  readonly #connections: ConnectionManager;
  readonly #onForbidden: (session: Session, mapId: number) => void;
  /** Request ring position answered last: after a worker's death it is answered again. */
  #answered = 0;

  constructor(
    memory: WorkerMemory,
    options: {
      answers: AnswerBatch;
      subscriptions: SubscriptionService;
      queries: StreamDesk;
      connections: ConnectionManager;
      /** A rule of the session on this map forbade a write. */
      onForbidden: (session: Session, mapId: number) => void;
    },
  ) {
    this.#worker = memory.worker;
    this.#ring = new RingConsumer(memory.outboundRing);
    this.#ringBytes = new Uint8Array(memory.outboundRing);
    this.#control = new Int32Array(memory.control);
    this.#answers = options.answers;
    this.#subscriptions = options.subscriptions;
    this.#queries = options.queries;
    this.#connections = options.connections;
    this.#onForbidden = options.onForbidden;
  }

  get pendingCount(): number {
    return this.#pending.count;
  }

  hasWork(): boolean {
    return !this.#ring.isEmpty() || this.#pending.isReleasable(this.#laneFlushed());
  }

  /** Takes what the worker has said. Returns the operations answered. */
  drain(elapsedMs: number): number {
    let answered = 0;
    let records = 0;
    while (records < OUTBOUND_RECORDS_A_TURN && this.#ring.next()) {
      records++;
      answered += this.#take(elapsedMs);
    }
    if (records > 0) this.#ring.release();
    return answered;
  }

  /** Sends the SAFE results that are durable or overdue. Returns how many. */
  releasePending(elapsedMs: number): number {
    return this.#pending.release(this.#laneFlushed(), elapsedMs, this.#sendPending);
  }

  #take(elapsedMs: number): number {
    const { kind, index, words } = this.#ring;
    switch (kind) {
      case OutboundKind.RESULT:
        return this.#onResult(words, index, elapsedMs);
      case OutboundKind.EVENT:
        this.#subscriptions.onEvent(words, this.#ringBytes, index);
        return 0;
      case OutboundKind.SLICE:
        this.#subscriptions.onSlice(words, this.#ringBytes, index);
        return 0;
      case OutboundKind.ROWS:
        this.#queries.onRecord(words, this.#ringBytes, index);
        return 0;
      case OutboundKind.PROGRESS:
        this.#subscriptions.onProgress(this.#worker, words, index);
        return 0;
      case OutboundKind.SUBSCRIBED:
        if (this.#isNew(words[index + SubscribedMessage.REQUEST_POSITION]))
          this.#subscriptions.onSubscribed(this.#worker, words[index + SubscribedMessage.TOPIC]);
        return 0;
      default:
        throw new InvariantError(`outbound record of unknown kind ${kind}`);
    }
  }

  #onResult(words: Int32Array, at: number, elapsedMs: number): number {
    if (!this.#isNew(words[at + ResultMessage.REQUEST_POSITION])) return 0;
    const sessionId = words[at + ResultMessage.SESSION];
    const length = words[at + ResultMessage.BYTES];
    const offset = (at + ResultMessage.BODY) * 4;
    const lanePosition = words[at + ResultMessage.LANE_POSITION];
    if (words[at + ResultMessage.WAITS] === RESULT_WAITS) {
      this.#pending.add({ sessionId, lanePosition, elapsedMs }, this.#ringBytes, offset, length);
      return 1;
    }
    const session = this.#send(sessionId, this.#ringBytes, offset, length);
    const isForbidden = words[at + ResultMessage.WAITS] === RESULT_FORBIDDEN;
    if (isForbidden && session !== undefined) this.#onForbidden(session, lanePosition);
    return 1;
  }

  #isNew(position: number): boolean {
    if (((position - this.#answered) | 0) <= 0) return false;
    this.#answered = position;
    return true;
  }

  readonly #sendPending: (sessionId: number, result: Uint8Array) => void = (sessionId, result) => {
    this.#send(sessionId, result, 0, result.length);
  };

  #send(sessionId: number, bytes: Uint8Array, offset: number, length: number): Session | undefined {
    const session = this.#connections.answered(sessionId);
    if (session !== undefined) this.#answers.append(session, bytes, offset, length);
    return session;
  }

  #laneFlushed(): number {
    return loadWord(this.#control, WorkerControl.LANE_FLUSHED);
  }
}
