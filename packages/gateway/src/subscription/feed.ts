import type { Session } from '../session/session.js';

/** Frames that sessions hear under one number: native pub/sub hands each to all who have joined. */
export class Feed {
  readonly id: number;
  /** Subscriptions a session has on this feed; it is joined while it has any. */
  readonly #members: Map<Session, number> = new Map();
  #only: Session | undefined;

  constructor(id: number) {
    this.id = id;
  }

  get isHeard(): boolean {
    return this.#members.size > 0;
  }

  /** The one session that hears it; undefined: there is none, or there are several. */
  get only(): Session | undefined {
    return this.#only;
  }

  join(session: Session): void {
    const count = this.#members.get(session) ?? 0;
    this.#members.set(session, count + 1);
    if (count > 0) return;
    this.#only = this.#findOnly();
    session.connection.join(this.id);
  }

  leave(session: Session): void {
    const count = this.#members.get(session) ?? 0;
    if (count > 1) this.#members.set(session, count - 1);
    else if (this.#members.delete(session)) {
      this.#only = this.#findOnly();
      session.connection.leave(this.id);
    }
  }

  #findOnly(): Session | undefined {
    return this.#members.size === 1 ? this.#members.keys().next().value : undefined;
  }
}
