import type { Session } from './session.js';

/** Frames that sessions hear under one number: native pub/sub hands each to all who have joined. */
export class Feed {
  readonly id: number;
  /** Subscriptions a session has on this feed; it is joined while it has any. */
  readonly #members: Map<Session, number> = new Map();

  constructor(id: number) {
    this.id = id;
  }

  get isHeard(): boolean {
    return this.#members.size > 0;
  }

  join(session: Session): void {
    const count = this.#members.get(session) ?? 0;
    this.#members.set(session, count + 1);
    if (count === 0) session.connection.join(this.id);
  }

  leave(session: Session): void {
    const count = this.#members.get(session) ?? 0;
    if (count > 1) this.#members.set(session, count - 1);
    else if (this.#members.delete(session)) session.connection.leave(this.id);
  }
}
