import type { HybridLogicalClock } from '@tidewire/core';
import { writeResultsHead } from '@tidewire/core/threads';
import { FrameBufferPool } from './frame-buffer.js';
import type { Session } from './session.js';
import { Sent } from './transport.js';

/** Results of one turn, put together to one frame a session. */
export class AnswerBatch {
  readonly #pool: FrameBufferPool = new FrameBufferPool();
  readonly #touched: Session[] = [];
  readonly #clock: HybridLogicalClock;
  readonly #onDropped: (session: Session) => void;

  constructor(options: { clock: HybridLogicalClock; onDropped: (session: Session) => void }) {
    this.#clock = options.clock;
    this.#onDropped = options.onDropped;
  }

  /** Adds an entry of Results. */
  append(session: Session, source: Uint8Array, offset: number, length: number): void {
    if (session.answers?.hasRoom(length) === false) this.#send(session);
    if (session.answers === undefined) this.#begin(session);
    session.answers?.append(source, offset, length);
  }

  /** Sends everything. */
  flush(): void {
    for (const session of this.#touched) {
      this.#send(session);
      session.isTouched = false;
    }
    this.#touched.length = 0;
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
