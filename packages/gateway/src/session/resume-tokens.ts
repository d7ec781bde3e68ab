import { createHash } from 'node:crypto';
import { EFFECTS_KEPT_MS, RESUME_TOKEN_BYTES, RESUME_TOKENS_MAX } from '@tidewire/core';
import type { Session } from './session.js';

/** A memory's number is the epoch, then a count: a safe integer. After 2^21 starts epochs come again. */
const MEMORIES_A_START = 2 ** 32;
const EPOCHS = 2 ** 21;
const NEVER = Number.POSITIVE_INFINITY;

/** One of a session; `session` is undefined while none has it. */
interface Token {
  readonly bytes: Uint8Array;
  /** Of what is remembered under it. */
  readonly memory: number;
  session: Session | undefined;
  closedAtMs: number;
}

/**
 * The resume tokens by which later connections continue earlier ones. A token is remembered while a
 * session has it and EFFECTS_KEPT_MS longer, unless there are too many. Times are elapsed ones.
 *
 * What a client calls its token gives no claim alone: a token is told from it, the subject and what the
 * session may do, so that nobody else, nor the same subject with other rights, is answered what was done
 * under it, or puts anybody out.
 *
 * What is remembered has a number, its memory, which nothing else ever has: not what is remembered under
 * the same token after that was forgotten, nor another start of the server. So an update that names the
 * memory under which it was sent first can be told from one whose effect has been forgotten, however
 * many connections lie between.
 */
export class ResumeTokens {
  readonly #tokens: Map<string, Token> = new Map();
  /** Of these, the ones that no session has, the one closed first before the others. */
  readonly #closed: Map<string, Token> = new Map();
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
   * until now: it must be closed before anything else is taken from either. `named`: by the client, or
   * nothing. Without a token nothing is remembered, and the session has a memory of its own, so that nobody
   * takes it for another.
   */
  adopt(session: Session, named: Uint8Array): Session | undefined {
    session.memory = ++this.#lastMemory;
    if (named.length === 0) return undefined;
    const bytes = tokenOf(session, named);
    const name = nameOf(bytes);
    const known = this.#tokens.get(name);
    session.token = bytes;
    session.memory = known?.memory ?? session.memory;
    const { memory } = session;
    this.#closed.delete(name);
    this.#tokens.set(name, { bytes, memory, session, closedAtMs: NEVER });
    return known?.session;
  }

  /** The session has closed. */
  release(session: Session, elapsedMs: number): void {
    const name = nameOf(session.token);
    const token = this.#tokens.get(name);
    if (token?.session !== session) return; // it has none, or another session has taken it over
    const closed = { ...token, session: undefined, closedAtMs: elapsedMs };
    this.#tokens.set(name, closed);
    this.#closed.set(name, closed);
  }

  /**
   * Forgets and returns the tokens that nobody has had for so long, and more where there are too many: the
   * sessions there are always have theirs. Call behind every `adopt`, before anything is taken from its session.
   */
  takeExpired(elapsedMs: number): Uint8Array[] {
    const expired: Uint8Array[] = [];
    for (const [name, { bytes, closedAtMs }] of this.#closed) {
      const isKept = closedAtMs + EFFECTS_KEPT_MS > elapsedMs;
      if (isKept && this.#tokens.size <= RESUME_TOKENS_MAX) break;
      this.#tokens.delete(name);
      this.#closed.delete(name);
      expired.push(bytes);
    }
    return expired;
  }
}

function tokenOf({ authority, subject }: Session, named: Uint8Array): Uint8Array {
  const whose = JSON.stringify([subject, authority?.name ?? null]); // null: it may do everything
  const digest = createHash('sha256').update(named).update(whose).digest();
  return new Uint8Array(digest.subarray(0, RESUME_TOKEN_BYTES));
}

function nameOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
