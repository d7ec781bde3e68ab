import { EFFECTS_KEPT_MS, RESUME_TOKENS_MAX } from '@tidewire/core';
import type { Session } from './session.js';

/** A memory's number is the epoch, then a count: a safe integer. After 2^21 starts epochs come again. */
const MEMORIES_A_START = 2 ** 32;
const EPOCHS = 2 ** 21;
const NEVER = Number.POSITIVE_INFINITY;

/** One that a session has named; `session` is undefined while none has it. */
interface Token {
  readonly bytes: Uint8Array;
  /** Whose sessions may have it. */
  readonly subject: string;
  /** Of what is remembered under it. */
  readonly memory: number;
  session: Session | undefined;
  closedAtMs: number;
}

/**
 * The resume tokens by which later connections continue earlier ones. A token is remembered while a
 * session has it and EFFECTS_KEPT_MS longer, oldest end first. Times are elapsed ones.
 *
 * What is remembered has a number, its memory, which nothing else ever has: not what is remembered under
 * the same token after that was forgotten, nor another start of the server. So an update that names the
 * memory under which it was sent first can be told from one whose effect has been forgotten, however
 * many connections lie between.
 */
export class ResumeTokens {
  readonly #tokens: Map<string, Token> = new Map();
  #lastMemory = 0;

  get count(): number {
    return this.#tokens.size;
  }

  /** Call before the first session is taken; `epoch`: this start's number. */
  open(epoch: number): void {
    this.#lastMemory = (epoch % EPOCHS) * MEMORIES_A_START;
  }

  /**
   * The session continues what is known under its token, if it is. Returns the session that has it
   * until now: it must be closed before anything else is taken from either. A token that another
   * subject has named is none: its bytes alone give no claim to what was done under it. Without a token
   * nothing is remembered, and the session has a memory of its own, so that nobody takes it for another.
   */
  adopt(session: Session, bytes: Uint8Array): Session | undefined {
    session.memory = ++this.#lastMemory;
    if (bytes.length === 0) return undefined;
    const name = nameOf(bytes);
    const known = this.#tokens.get(name);
    if (known === undefined && this.#tokens.size >= RESUME_TOKENS_MAX) return undefined;
    const { subject } = session;
    if (known !== undefined && known.subject !== subject) return undefined;
    session.token = bytes;
    session.memory = known?.memory ?? session.memory;
    const { memory } = session;
    this.#tokens.delete(name); // behind those that have closed before
    this.#tokens.set(name, { bytes, subject, memory, session, closedAtMs: NEVER });
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
