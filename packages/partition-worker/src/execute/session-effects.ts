/** `floor` of a session none of whose effects have been forgotten to make room. */
export const NO_FLOOR = -1;
/** A count of 32 bits has so many magnitudes, 0 among them. */
const MAGNITUDES = 33;

/** The effects of one session, as entries of the table. */
export class SessionEffects {
  /** Request id → entry, in the order in which they came. */
  readonly byRequest: Map<number, number> = new Map();
  /** Entry that says up to which request effects have been forgotten to make room; or NO_FLOOR. */
  floor: number = NO_FLOOR;
  /** Owned by Fullest. */
  magnitude = 0;

  /** Effects that can be forgotten to make room: the first one leaves its entry to say so. */
  get spare(): number {
    const { size } = this.byRequest;
    return this.floor === NO_FLOOR && size > 0 ? size - 1 : size;
  }
}

/**
 * Finds the session that has the most effects to spare, but for a factor of 2: a session moves only when
 * its count passes a power of 2, so that who has few costs nothing.
 */
export class Fullest {
  readonly #sessions: readonly Set<SessionEffects>[] = Array.from(
    { length: MAGNITUDES },
    () => new Set<SessionEffects>(),
  );

  /** The session has more effects, or fewer. */
  onChange(session: SessionEffects): void {
    const magnitude = MAGNITUDES - 1 - Math.clz32(session.spare);
    if (magnitude === session.magnitude) return;
    this.#sessions[session.magnitude].delete(session);
    session.magnitude = magnitude;
    if (magnitude > 0) this.#sessions[magnitude].add(session);
  }

  /** Undefined: none has any to spare. */
  find(): SessionEffects | undefined {
    for (let magnitude = MAGNITUDES - 1; magnitude > 0; magnitude--)
      for (const session of this.#sessions[magnitude]) return session;
    return undefined;
  }
}
