import { assert, HELLO_DEADLINE_MS } from '@tidewire/core';
import { NO_BYTES } from '@tidewire/partition-worker/front';
import { NO_CURSOR } from '../subscription/resume.js';
import type { Connection } from '../transport/transport.js';
import type { AddressCount } from './connection-limits.js';
import type { Session } from './session.js';
import type { SessionRate } from './session-rate.js';

/** What a session is made of beside its connection. */
export interface Admitted {
  readonly client: AddressCount;
  readonly rate: SessionRate | undefined;
}

/** A session that has not said Hello, and the elapsed time by which it must. */
interface Stranger {
  readonly session: Session;
  readonly deadlineMs: number;
}

/**
 * Holds the sessions: one slot a connection, which is its session id. A slot is given to the next
 * connection only when its session has closed *and* every operation of it has been answered.
 */
export class ConnectionManager {
  readonly #slots: (Session | undefined)[] = [];
  readonly #free: number[] = [];
  /** Sessions that have not said Hello, oldest first. */
  #strangers: Stranger[] = [];
  #serial = 0;
  readonly #onFreed: (session: Session) => void;

  /** `onFreed`: the session has closed, and every operation of it has been answered. */
  constructor(onFreed: (session: Session) => void) {
    this.#onFreed = onFreed;
  }

  open(connection: Connection, admitted: Admitted, elapsedMs: number): Session {
    const session: Session = {
      id: this.#free.pop() ?? this.#slots.length,
      serial: ++this.#serial,
      connection,
      client: admitted.client,
      rate: admitted.rate,
      node: 0,
      isVerifying: false,
      validUntilMs: Number.POSITIVE_INFINITY,
      subject: '',
      authority: undefined,
      principal: undefined,
      rules: undefined,
      salt: '',
      token: NO_BYTES,
      memory: 0,
      resumption: NO_CURSOR,
      presence: undefined,
      inFlight: 0,
      subscriptions: undefined,
      queries: undefined,
      isLagging: false,
      isOnProgress: false,
      told: undefined,
      isClosing: false,
      isClosed: false,
      answers: undefined,
      isTouched: false,
      events: undefined,
    };
    this.#slots[session.id] = session;
    this.#strangers.push({ session, deadlineMs: elapsedMs + HELLO_DEADLINE_MS });
    return session;
  }

  /** The session of this id. */
  find(id: number): Session | undefined {
    return this.#slots[id];
  }

  /** An operation of the session of this id has been answered. Returns it, unless it has closed. */
  answered(id: number): Session | undefined {
    const session = this.#slots[id];
    assert(session !== undefined && session.inFlight > 0, 'an answer has a session that waits');
    session.inFlight--;
    if (!session.isClosed) return session;
    this.#maybeFree(session);
    return undefined;
  }

  close(session: Session): void {
    if (session.isClosed) return;
    session.isClosed = true;
    this.#maybeFree(session);
  }

  #maybeFree(session: Session): void {
    if (session.inFlight > 0) return;
    this.#slots[session.id] = undefined;
    this.#onFreed(session);
    this.#free.push(session.id);
  }

  /** Takes out and returns the sessions whose deadline for Hello has passed. */
  takeOverdue(elapsedMs: number): Session[] {
    const strangers = this.#strangers.filter(
      ({ session }) => session.node === 0 && !session.isClosing,
    );
    this.#strangers = strangers.filter(({ deadlineMs }) => deadlineMs > elapsedMs);
    return strangers
      .filter(({ deadlineMs }) => deadlineMs <= elapsedMs)
      .map(({ session }) => session);
  }

  *all(): Iterable<Session> {
    for (const session of this.#slots) if (session?.isClosed === false) yield session;
  }
}
