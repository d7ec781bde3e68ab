import { LAG_LOOK_BYTES, SESSION_DRAINED_BYTES, SESSION_SOFT_BYTES } from '@tidewire/core';
import type { Session } from '../session/session.js';

const LOOKS_A_TURN = 4;
const LAGGING_LOOKS_A_TURN = 256;

/**
 * Looks after subscribers that read too slowly. What is published goes to buffers without a word of
 * how full they are, so each is looked at while so much is published; one beyond the soft limit is
 * suspended, and restored when it has read.
 */
export class LagDesk {
  readonly #sessions: () => Iterable<Session>;
  readonly #lagging: Set<Session> = new Set();
  /** Those to be looked at while LAG_LOOK_BYTES are published, and how many have been. */
  #round: readonly Session[] = [];
  #looked = 0;
  #published = 0;
  /** Sessions suspended so far. */
  suspended = 0;
  onSlow: (session: Session) => void = () => {};
  onDrained: (session: Session) => void = () => {};

  /** `sessions`: all that are open. */
  constructor(sessions: () => Iterable<Session>) {
    this.#sessions = sessions;
  }

  /** Those that are suspended now. */
  laggards(): Iterable<Session> {
    return this.#lagging;
  }

  /** Sessions suspended now. */
  get lagging(): number {
    return this.#lagging.size;
  }

  /** The session closes. */
  forget(session: Session): void {
    this.#lagging.delete(session);
    session.isLagging = false;
  }

  /** So much has gone to the subscribers of one topic. */
  onPublished(bytes: number): void {
    this.#published += bytes;
    if (this.#published >= LAG_LOOK_BYTES) this.#lookAt(this.#round.length);
    else this.#lookAt(Math.ceil((this.#round.length * this.#published) / LAG_LOOK_BYTES));
    if (this.#published >= LAG_LOOK_BYTES) this.#beginRound();
  }

  /** Looks at some of those that lag, and at a few others. Returns how many were restored. */
  doWork(): number {
    if (this.#published > 0) {
      if (this.#looked === this.#round.length) this.#beginRound();
      this.#lookAt(this.#looked + LOOKS_A_TURN);
    }
    let restored = 0;
    let looks = Math.min(this.#lagging.size, LAGGING_LOOKS_A_TURN);
    for (const session of this.#lagging) {
      if (looks-- === 0) break;
      this.#lagging.delete(session);
      if (session.connection.bufferedBytes() > SESSION_DRAINED_BYTES) this.#lagging.add(session);
      else {
        this.#restore(session);
        restored++;
      }
    }
    return restored;
  }

  #beginRound(): void {
    this.#round = [...this.#sessions()].filter(isWatched);
    this.#looked = 0;
    this.#published = 0;
  }

  /** Looks at sessions of the round until so many have been looked at. */
  #lookAt(count: number): void {
    while (this.#looked < Math.min(count, this.#round.length)) {
      const session = this.#round[this.#looked++];
      // It may have closed meanwhile.
      if (isWatched(session) && session.connection.bufferedBytes() > SESSION_SOFT_BYTES)
        this.#suspend(session);
    }
  }

  #suspend(session: Session): void {
    this.suspended++;
    session.isLagging = true;
    this.#lagging.add(session);
    this.onSlow(session);
  }

  #restore(session: Session): void {
    session.isLagging = false;
    this.onDrained(session);
  }
}

/** It has subscriptions and is not suspended. */
function isWatched({ subscriptions, isLagging }: Session): boolean {
  return subscriptions !== undefined && !isLagging;
}
