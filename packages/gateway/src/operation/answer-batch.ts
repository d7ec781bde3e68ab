import {
  type Code,
  type HybridLogicalClock,
  isRefusal,
  RESULT_SHORT_BYTES,
  SESSION_ANSWER_BYTES_MAX,
} from '@tidewire/core';
import { patchRequestId, refusalIn, requestIdOf, writeResultsHead } from '@tidewire/core/threads';
import { FrameBuffer, FramePool } from '../frame-buffer.js';
import type { Session } from '../session/session.js';
import type { Counters } from '../telemetry/counters.js';
import { Sent } from '../transport/transport.js';
import { ANSWER_UNREAD, OperationRefusal, saidEntry } from './operation-refusal.js';

/** Results of one turn, put together to one frame a session. */
export class AnswerBatch {
  readonly #pool: FramePool<FrameBuffer> = new FramePool(() => new FrameBuffer());
  readonly #touched: Session[] = [];
  readonly #clock: HybridLogicalClock;
  readonly #counters: Counters;
  readonly #onDropped: (session: Session) => void;
  /** What a code alone says, by code. */
  readonly #said: Uint8Array[] = [];

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
    const isDetailed = said instanceof OperationRefusal;
    const code = isDetailed ? said.code : said;
    if (isRefusal(code)) this.#counters.onRefusal(code);
    const entry = isDetailed ? said.entry : this.#entryOf(code);
    const buffer = this.#bufferFor(session, entry.length);
    patchRequestId(buffer.bytes, buffer.append(entry, 0, entry.length), requestId);
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
    this.#bufferFor(session, length).append(source, offset, length);
  }

  #entryOf(code: Code): Uint8Array {
    this.#said[code] ??= saidEntry(code);
    return this.#said[code];
  }

  #bufferFor(session: Session, length: number): FrameBuffer {
    if (session.answers?.hasRoom(length) === false) this.#send(session);
    return session.answers ?? this.#begin(session);
  }

  #begin(session: Session): FrameBuffer {
    if (this.#pool.isExhausted) this.flush();
    const buffer = this.#pool.take();
    session.answers = buffer;
    if (!session.isTouched) {
      session.isTouched = true;
      this.#touched.push(session);
    }
    return buffer;
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
