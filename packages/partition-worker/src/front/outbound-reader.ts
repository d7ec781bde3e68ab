import { type Code, InvariantError, OUTBOUND_RECORDS_A_TURN } from '@tidewire/core';
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
import { PendingAcks } from './pending-acks.js';

/** Whoever takes what workers say. Words and bytes are of the ring, and valid during the call only. */
export interface OutboundHandlers {
  /** A Result, as an entry of Results, for the caller of this id; once for each operation. */
  onResult(caller: number, bytes: Uint8Array, offset: number, length: number): void;
  /** A rule of the caller forbade an operation of this kind on that map; the result follows. */
  onForbidden?(caller: number, mapId: number, kind: number): void;
  /** The operation at this position of the worker's request ring has this outcome, or 0; the result follows. */
  onVerdict(worker: number, position: number, outcome: Code): void;
  /** An EVENT record; after a worker's death some are said again, see HeardChanges. */
  onEvent(words: Int32Array, wordBytes: Uint8Array, at: number): void;
  onSlice(words: Int32Array, wordBytes: Uint8Array, at: number): void;
  onRows(words: Int32Array, wordBytes: Uint8Array, at: number): void;
  onProgress(worker: number, words: Int32Array, at: number): void;
  onSubscribed(worker: number, topic: number): void;
  /** Never, unless a census was asked for. */
  onCensus?(worker: number, words: Int32Array, at: number): void;
}

/** The other end of one worker's outbound ring, and the SAFE results that wait for it. */
export class OutboundReader {
  readonly #worker: number;
  readonly #ring: RingConsumer;
  readonly #ringBytes: Uint8Array;
  readonly #control: Int32Array;
  readonly #pending: PendingAcks = new PendingAcks();
  readonly #handlers: OutboundHandlers;
  /** Request ring position answered last: after a worker's death it is answered again. */
  #answered = 0;

  constructor(memory: WorkerMemory, handlers: OutboundHandlers) {
    this.#worker = memory.worker;
    this.#ring = new RingConsumer(memory.outboundRing);
    this.#ringBytes = new Uint8Array(memory.outboundRing);
    this.#control = new Int32Array(memory.control);
    this.#handlers = handlers;
  }

  get pendingCount(): number {
    return this.#pending.count;
  }

  /** How full the ring is, as a part of the whole. */
  get occupancy(): number {
    return this.#ring.occupancy();
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
        this.#handlers.onEvent(words, this.#ringBytes, index);
        return 0;
      case OutboundKind.SLICE:
        this.#handlers.onSlice(words, this.#ringBytes, index);
        return 0;
      case OutboundKind.ROWS:
        this.#handlers.onRows(words, this.#ringBytes, index);
        return 0;
      case OutboundKind.PROGRESS:
        this.#handlers.onProgress(this.#worker, words, index);
        return 0;
      case OutboundKind.CENSUS:
        this.#handlers.onCensus?.(this.#worker, words, index);
        return 0;
      case OutboundKind.SUBSCRIBED:
        if (this.#isNew(words[index + SubscribedMessage.REQUEST_POSITION]))
          this.#handlers.onSubscribed(this.#worker, words[index + SubscribedMessage.TOPIC]);
        return 0;
      default:
        throw new InvariantError(`outbound record of unknown kind ${kind}`);
    }
  }

  #onResult(words: Int32Array, at: number, elapsedMs: number): number {
    if (!this.#isNew(words[at + ResultMessage.REQUEST_POSITION])) return 0;
    const sessionId = words[at + ResultMessage.SESSION];
    const length = words[at + ResultMessage.BYTES];
    const outcome = words[at + ResultMessage.OUTCOME] as Code;
    const offset = (at + ResultMessage.BODY) * 4;
    const lanePosition = words[at + ResultMessage.LANE_POSITION];
    if (words[at + ResultMessage.WAITS] === RESULT_FORBIDDEN)
      this.#handlers.onForbidden?.(sessionId, lanePosition >>> 16, lanePosition & 0xffff);
    this.#handlers.onVerdict(this.#worker, words[at + ResultMessage.REQUEST_POSITION], outcome);
    if (words[at + ResultMessage.WAITS] === RESULT_WAITS) {
      this.#pending.add({ sessionId, lanePosition, elapsedMs }, this.#ringBytes, offset, length);
      return 1;
    }
    this.#handlers.onResult(sessionId, this.#ringBytes, offset, length);
    return 1;
  }

  #isNew(position: number): boolean {
    if (((position - this.#answered) | 0) <= 0) return false;
    this.#answered = position;
    return true;
  }

  readonly #sendPending: (sessionId: number, result: Uint8Array) => void = (sessionId, result) =>
    this.#handlers.onResult(sessionId, result, 0, result.length);

  #laneFlushed(): number {
    return loadWord(this.#control, WorkerControl.LANE_FLUSHED);
  }
}
