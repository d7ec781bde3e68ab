import type { BadTokens } from './token-mint.js';

/** What a hostile process is to attack. */
export interface HostilePlan {
  readonly port: number;
  /** Each attack has an address of its own, from 127.0.0.firstHost on; the honest have 127.0.0.1. */
  readonly firstHost: number;
  readonly tokens: BadTokens & { readonly valid: string };
}

/** What came of one kind of attack. */
export interface AttackReport {
  readonly name: string;
  /** Callers at one time. */
  readonly callers: number;
  readonly calls: number;
  /** Ends of calls by what they were: a close code, an HTTP status, cut, refused. */
  readonly ends: Readonly<Record<string, number>>;
  /** Bytes that were sent. */
  readonly bytes: number;
}

export type ToHostile =
  | { readonly type: 'begin'; readonly plan: HostilePlan }
  | { readonly type: 'end' };
export type FromHostile =
  | { readonly type: 'begun' }
  | { readonly type: 'reports'; readonly reports: readonly AttackReport[] };
