import { LAG_LOOK_BYTES, SESSION_DRAINED_BYTES, SESSION_SOFT_BYTES } from '@tidewire/core';
import type { Session } from './session.js';

const LOOKS_A_TURN = 4;
const LAGGING_LOOKS_A_TURN = 256;

/**
 * Looks after subscribers that read too slowly. What is published goes to buffers without a word of
 * how full they are, so each is looked at while so much is published; one beyond the soft limit is
 * suspended, and restored when it has read.
 */
export class LagDesk {
  readonly #watched: Set<Session> = new Set();
  readonly #lagging: Set<Session> = new Set();
  /** Looks that are due. */
  #due = 0;
  /** Sessions suspended so far. */
  suspended = 0;
  onSlow: (session: Session) => void = () => {};
  onDrained: (session: Session) => void = () => {};

  /** Sessions suspended now. */
  get lagging(): number {
    return this.#lagging.size;
  }

  /** The session has subscriptions. */
  watch(session: Session): void {
    if (!session.isLagging) this.#watched.add(session);
  }

  /** It has none any more. */
  unwatch(session: Session): void {
    this.#watched.delete(session);
  }

  /** It closes. */
  forget(session: Session): void {
    this.#watched.delete(session);
    this.#lagging.delete(session);
    session.isLagging = false;
  }

  /** So much has gone to the subscribers of one topic. */
  onPublished(bytes: number): void {
    this.#due += (this.#watched.size * bytes) / LAG_LOOK_BYTES;
    if (this.#due < 1) return;
    const looks = Math.min(Math.floor(this.#due), this.#watched.size);
    this.#due = 0;
    this.#look(looks);
  }

  /** Looks at some of those that lag, and at a few others. Returns how many were restored. */
  doWork(): number {
    this.#look(LOOKS_A_TURN);
    let restored = 0;
    for (const session of firstOf(this.#lagging, LAGGING_LOOKS_A_TURN)) {
      if (!this.#lagging.delete(session)) continue; // closed meanwhile
      if (session.connection.bufferedBytes() > SESSION_DRAINED_BYTES) this.#lagging.add(session);
      else {
        this.#restore(session);
        restored++;
      }
    }
    return restored;
  }

  #look(looks: number): void {
    for (const session of firstOf(this.#watched, looks)) {
      if (!this.#watched.delete(session)) continue; // closed meanwhile
      if (session.connection.bufferedBytes() > SESSION_SOFT_BYTES) this.#suspend(session);
      else this.#watched.add(session); // looked at again after all others
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
    if (session.subscriptions.size > 0) this.#watched.add(session);
    this.onDrained(session);
  }
}

function firstOf(sessions: Set<Session>, count: number): Session[] {
  const first: Session[] = [];
  for (const session of sessions) {
    if (first.length >= count) break;
    first.push(session);
  }
  return first;
}
