import { CODE_SENTENCES, Code, closeCodeOf } from '@tidewire/core';
import type { ControlFrames } from '../control-frames.js';
import { Refusal } from '../refusal.js';
import type { Counters } from '../telemetry/counters.js';
import type { ConnectionLimits } from './connection-limits.js';
import type { Session } from './session.js';
import type { SessionLog } from './session-log.js';

/** Ends sessions, and tells them why. */
export class Farewell {
  readonly #control: ControlFrames;
  readonly #admission: ConnectionLimits;
  readonly #counters: Counters;
  readonly #log: SessionLog;

  constructor(options: {
    control: ControlFrames;
    admission: ConnectionLimits;
    counters: Counters;
    log: SessionLog;
  }) {
    this.#control = options.control;
    this.#admission = options.admission;
    this.#counters = options.counters;
    this.#log = options.log;
  }

  /** `retryAfterMs`: the same client is welcome later, whatever the code says otherwise; 0: not so. */
  refuse(
    session: Session,
    code: Code,
    detail: string = CODE_SENTENCES[code],
    retryAfterMs: number = new Refusal(code).retryAfterMs,
  ): void {
    session.isClosing = true;
    this.#counters.onClosing(code);
    this.#log.refused(session.serial, code, detail);
    session.connection.send(this.#control.error(code, { detail, retryAfterMs }));
    session.connection.close(closeCodeOf(code), detail);
  }

  /** As `refuse`, for a fault of its own: whoever has many is not let in for a while. */
  expel(session: Session, code: Code, detail?: string, retryAfterMs?: number): void {
    this.#admission.blame(session.client);
    this.refuse(session, code, detail, retryAfterMs);
  }

  /** One that does not read is told by the close alone. */
  drop(session: Session): void {
    const code = Code.SLOW_CONSUMER;
    session.isClosing = true;
    this.#counters.onClosing(code);
    this.#log.refused(session.serial, code, CODE_SENTENCES[code]);
    session.connection.close(closeCodeOf(code), CODE_SENTENCES[code]);
  }
}
