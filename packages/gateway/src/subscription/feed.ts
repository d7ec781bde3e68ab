import type { Session } from '../session/session.js';

/**
 * Frames that sessions hear under one number. Native pub/sub hands each to all who have joined; it
 * costs memory for every topic, so a session that has been alone from the beginning is sent its frames.
 */
export class Feed {
  readonly id: number;
  #only: Session | undefined;
  /** Subscriptions that `#only` has on this feed, while `#members` is undefined. */
  #count = 0;
  /** By session, its subscriptions on this feed; from the second session on, until none is left. */
  #members: Map<Session, number> | undefined;

  constructor(id: number) {
    this.id = id;
  }

  get isHeard(): boolean {
    return this.#only !== undefined || this.#members !== undefined;
  }

  /** The one session that hears it; undefined: there is none, or there are several. */
  get only(): Session | undefined {
    return this.#only;
  }

  /** Whoever hears it has joined natively: a frame may be published. */
  get isNative(): boolean {
    return this.#members !== undefined;
  }

  join(session: Session): void {
    if (this.#members !== undefined) this.#joinNatively(this.#members, session);
    else if (this.#only === undefined || this.#only === session) {
      this.#only = session;
      this.#count++;
    } else this.#share(this.#only, session);
  }

  leave(session: Session): void {
    if (this.#members !== undefined) this.#leaveNatively(this.#members, session);
    else if (this.#only === session && --this.#count === 0) this.#only = undefined;
  }

  #share(first: Session, second: Session): void {
    this.#members = new Map([[first, this.#count]]);
    this.#count = 0;
    first.connection.join(this.id);
    this.#joinNatively(this.#members, second);
  }

  #joinNatively(members: Map<Session, number>, session: Session): void {
    const count = members.get(session) ?? 0;
    members.set(session, count + 1);
    if (count > 0) return;
    this.#only = onlyOf(members);
    session.connection.join(this.id);
  }

  #leaveNatively(members: Map<Session, number>, session: Session): void {
    const count = members.get(session) ?? 0;
    if (count > 1) members.set(session, count - 1);
    else if (members.delete(session)) {
      this.#only = onlyOf(members);
      if (members.size === 0) this.#members = undefined;
      session.connection.leave(this.id);
    }
  }
}

function onlyOf(members: ReadonlyMap<Session, number>): Session | undefined {
  return members.size === 1 ? members.keys().next().value : undefined;
}
