import {
  Code,
  DETAIL_BYTES_MAX,
  type HybridLogicalClock,
  isRefusal,
  RESULT_SHORT_BYTES,
  SESSION_ANSWER_BYTES_MAX,
} from '@tidewire/core';
import {
  emptyResult,
  type ResultFields,
  refusalIn,
  requestIdOf,
  writeResult,
  writeResultsHead,
} from '@tidewire/core/threads';
import { FrameBuffer, FramePool } from '../frame-buffer.js';
import type { Session } from '../session/session.js';
import type { Counters } from '../telemetry/counters.js';
import { Sent } from '../transport/transport.js';
import { ANSWER_UNREAD, OperationRefusal } from './operation-refusal.js';

/** A code, a detail and a time. */
const SAY_BYTES_MAX: number = 64 + DETAIL_BYTES_MAX;
const NO_WORDS: Int32Array = new Int32Array(0);
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Results of one turn, put together to one frame a session. */
export class AnswerBatch {
  readonly #pool: FramePool<FrameBuffer> = new FramePool(() => new FrameBuffer());
  readonly #touched: Session[] = [];
  readonly #clock: HybridLogicalClock;
  readonly #counters: Counters;
  readonly #onDropped: (session: Session) => void;
  readonly #scratch: Uint8Array = new Uint8Array(SAY_BYTES_MAX);
  readonly #result: ResultFields = emptyResult();

  constructor(options: {
    clock: HybridLogicalClock;
    counters: Counters;
    onDropped: (session: Session) => void;
  }) {
    this.#counters = options.counters;
    this.#clock = options.clock;
    this.#onDropped = options.onDropped;
  }

  /** Adds an entry of Results. One with a value that would overfill the buffer is OVERLOADED. */
  append(session: Session, source: Uint8Array, offset: number, length: number): void {
    if (length > RESULT_SHORT_BYTES && unsentBytes(session) + length > SESSION_ANSWER_BYTES_MAX)
      this.say(session, requestIdOf(source, offset), ANSWER_UNREAD);
    else this.#count(session, source, offset, length);
  }

  /** Adds a result that speaks of no record. */
  say(session: Session, requestId: number, said: Code | OperationRefusal): void {
    const result = this.#result;
    const isDetailed = said instanceof OperationRefusal;
    const code = isDetailed ? said.code : said;
    result.detail = isDetailed ? said.detail : NO_BYTES;
    result.retryAfterMs = isDetailed ? said.retryAfterMs : 0;
    result.requestId = requestId;
    result.outcome = isRefusal(code) ? Code.UNSPECIFIED : code;
    result.refusal = isRefusal(code) ? code : Code.UNSPECIFIED;
    const length = writeResult(this.#scratch, 0, result, NO_WORDS, NO_BYTES);
    this.#count(session, this.#scratch, 0, length);
  }

  /** Sends everything. */
  flush(): void {
    for (const session of this.#touched) {
      this.#send(session);
      session.isTouched = false;
    }
    this.#touched.length = 0;
  }

  #count(session: Session, source: Uint8Array, offset: number, length: number): void {
    const refusal = refusalIn(source, offset);
    if (refusal !== 0) this.#counters.onRefusal(refusal);
    this.#append(session, source, offset, length);
  }

  #append(session: Session, source: Uint8Array, offset: number, length: number): void {
    if (session.answers?.hasRoom(length) === false) this.#send(session);
    if (session.answers === undefined) this.#begin(session);
    session.answers?.append(source, offset, length);
  }

  #begin(session: Session): void {
    if (this.#pool.isExhausted) this.flush();
    session.answers = this.#pool.take();
    if (session.isTouched) return;
    session.isTouched = true;
    this.#touched.push(session);
  }

  #send(session: Session): void {
    const buffer = session.answers;
    if (buffer === undefined) return;
    session.answers = undefined;
    const { ms, counter } = this.#clock;
    const start = writeResultsHead(buffer.bytes, buffer.start, buffer.end, ms, counter);
    const frame = buffer.bytes.subarray(start, buffer.end);
    if (session.connection.send(frame) === Sent.DROPPED) this.#onDropped(session);
    this.#pool.give(buffer);
  }
}

function unsentBytes(session: Session): number {
  const { answers, connection } = session;
  return connection.bufferedBytes() + (answers === undefined ? 0 : answers.end - answers.start);
}
