import { Code, VERIFICATIONS_MAX } from '@tidewire/core';
import { Refusal } from '../refusal.js';
import type { Session } from '../session/session.js';
import { type Authority, authorityOf } from './authority.js';
import { type Policy, PolicyError } from './policy.js';
import { type Claims, TokenError } from './token-verifier.js';

/** Rejects with TokenError. */
export type Verify = (token: string) => Promise<Claims>;

/** Who may come in, and what they may do. */
export interface AccessRules {
  readonly verify: Verify;
  readonly policy: Policy;
}

/** UNAVAILABLE where not the token is at fault. */
type OnVerdict = (verdict: Claims | Refusal) => void;

/**
 * Has tokens verified, a bounded number at one time and one for each session, and knows which
 * sessions outlive theirs. Verification takes its time: the session may have closed meanwhile.
 */
export class Authentication {
  readonly #nowMs: () => number;
  /** Undefined: everybody may come in and do everything. */
  rules: AccessRules | undefined;
  /** No token of theirs ends before. */
  #earliestMs: number = Number.POSITIVE_INFINITY;
  #underWay = 0;

  /** `nowMs`: milliseconds since 1970. */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get underWay(): number {
    return this.#underWay;
  }

  /**
   * Calls `onVerdict` at once if no token is needed, else once the token has been verified, unless
   * the session has closed by then. Returns why it is not even looked at.
   */
  check(session: Session, token: string, onVerdict: OnVerdict): Refusal | undefined {
    if (this.rules === undefined) {
      onVerdict(NO_CLAIMS);
      return undefined;
    }
    if (session.isVerifying) return new Refusal(Code.INVALID, 'One token at a time.');
    if (this.#underWay >= VERIFICATIONS_MAX) return new Refusal(Code.OVERLOADED);
    session.isVerifying = true;
    this.#underWay++;
    void this.#decide(session, this.rules.verify(token), onVerdict);
    return undefined;
  }

  /** What whoever has these claims may do; undefined: everything. */
  authorityOf({ all }: Claims): Authority | Refusal | undefined {
    if (this.rules === undefined) return undefined;
    try {
      return authorityOf(this.rules.policy, all);
    } catch (error) {
      if (!(error instanceof PolicyError)) throw error;
      return new Refusal(Code.UNAUTHENTICATED, `The token's own grants: ${error.message}.`);
    }
  }

  /** Those of all open sessions whose token holds no longer: they are to be closed now. */
  expired(sessions: Iterable<Session>): Session[] {
    const nowMs = this.#nowMs();
    if (nowMs < this.#earliestMs) return [];
    const expired: Session[] = [];
    this.#earliestMs = Number.POSITIVE_INFINITY;
    for (const session of sessions) {
      const { validUntilMs, isClosing } = session;
      if (isClosing) continue;
      if (validUntilMs <= nowMs) expired.push(session);
      else this.#earliestMs = Math.min(this.#earliestMs, validUntilMs);
    }
    return expired;
  }

  /** What throws here is a broken invariant, for claims are known to be sound: it ends the process. */
  async #decide(
    session: Session,
    verification: Promise<Claims>,
    onVerdict: OnVerdict,
  ): Promise<void> {
    const verdict = await verification.catch(refusalOf);
    this.#underWay--;
    session.isVerifying = false;
    if (session.isClosing) return;
    if (!(verdict instanceof Refusal)) this.#setEnd(session, verdict.validUntilMs);
    onVerdict(verdict);
  }

  #setEnd(session: Session, validUntilMs: number): void {
    session.validUntilMs = validUntilMs;
    this.#earliestMs = Math.min(this.#earliestMs, validUntilMs);
  }
}

const NO_CLAIMS: Claims = { validUntilMs: Number.POSITIVE_INFINITY, all: {} };

function refusalOf(error: unknown): Refusal {
  if (!(error instanceof TokenError)) throw error;
  return new Refusal(error.isTransient ? Code.UNAVAILABLE : Code.UNAUTHENTICATED, error.message);
}
