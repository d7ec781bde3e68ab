import { EFFECTS_KEPT_MS, RESUME_TOKENS_MAX } from '@tidewire/core';
import type { Session } from './session.js';

/** One that a session has named; `session` is undefined while none has it. */
interface Token {
  readonly bytes: Uint8Array;
  /** Whose sessions may have it. */
  readonly subject: string;
  session: Session | undefined;
  closedAtMs: number;
}

/**
 * The resume tokens by which later connections continue earlier ones. A token is remembered while a
 * session has it and EFFECTS_KEPT_MS longer, oldest end first. Times are elapsed ones.
 */
export class ResumeTokens {
  readonly #tokens: Map<string, Token> = new Map();

  get count(): number {
    return this.#tokens.size;
  }

  /**
   * The session continues what is known under its token, if it is. Returns the session that has it
   * until now: it must be closed before anything else is taken from either. A token that another
   * subject has named is none: its bytes alone give no claim to what was done under it.
   */
  adopt(session: Session, bytes: Uint8Array): Session | undefined {
    const name = nameOf(bytes);
    const known = this.#tokens.get(name);
    if (known === undefined && this.#tokens.size >= RESUME_TOKENS_MAX) return undefined;
    const { subject } = session;
    if (known !== undefined && known.subject !== subject) return undefined;
    this.#tokens.delete(name); // behind those that have closed before
    this.#tokens.set(name, { bytes, subject, session, closedAtMs: Number.POSITIVE_INFINITY });
    session.token = bytes;
    session.isResumed = known !== undefined;
    return known?.session;
  }

  /** The session has closed. */
  release(session: Session, elapsedMs: number): void {
    const name = nameOf(session.token);
    const token = this.#tokens.get(name);
    if (token?.session !== session) return; // it has none, or another session has taken it over
    this.#tokens.delete(name);
    this.#tokens.set(name, { ...token, session: undefined, closedAtMs: elapsedMs });
  }

  /** Forgets and returns the tokens that nobody has had for so long. */
  takeExpired(elapsedMs: number): Uint8Array[] {
    const expired: Uint8Array[] = [];
    for (const [name, token] of this.#tokens) {
      if (token.session !== undefined) continue;
      if (token.closedAtMs + EFFECTS_KEPT_MS > elapsedMs) break;
      this.#tokens.delete(name);
      expired.push(token.bytes);
    }
    return expired;
  }
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
