import {
  RESTART_BACKOFF_MAX_MS,
  RESTART_BACKOFF_MIN_MS,
  RESTARTS_FRUITLESS_MAX,
} from '@tidewire/core';

/** What a worker's deaths so far say about the next start. */
export interface Deaths {
  /** In a row, with nothing got done in between. */
  readonly fruitless: number;
  /** Where the request ring stood at the last death, if an operation was under way; else undefined. */
  readonly suspect: number | undefined;
}

export const NO_DEATHS: Deaths = { fruitless: 0, suspect: undefined };

/** What was seen of a worker that has died. */
export interface Death {
  /** Its request ring has moved since it was started. */
  readonly isFruitful: boolean;
  /** Position of the operation that it was executing, if it was. */
  readonly operationAt: number | undefined;
}

export type Verdict =
  | { readonly kind: 'RESTART'; readonly delayMs: number }
  /** The operation at this position has ended two workers: it is answered POISON and skipped. */
  | { readonly kind: 'SKIP'; readonly operationAt: number; readonly delayMs: number }
  | { readonly kind: 'GIVE_UP' };

/** Only an operation that was under way at both deaths is blamed for them. */
export function judge(before: Deaths, death: Death): { deaths: Deaths; verdict: Verdict } {
  const fruitless = death.isFruitful ? 1 : before.fruitless + 1;
  const deaths = { fruitless, suspect: death.operationAt };
  if (fruitless > RESTARTS_FRUITLESS_MAX) return { deaths, verdict: { kind: 'GIVE_UP' } };
  const delayMs = backoffMs(fruitless);
  const { operationAt } = death;
  const isSecond = !death.isFruitful && operationAt !== undefined;
  if (isSecond && operationAt === before.suspect)
    return { deaths, verdict: { kind: 'SKIP', operationAt, delayMs } };
  return { deaths, verdict: { kind: 'RESTART', delayMs } };
}

/** The first two starts come at once: one death is an accident, and the second names its cause. */
function backoffMs(fruitless: number): number {
  if (fruitless <= 2) return 0;
  return Math.min(RESTART_BACKOFF_MAX_MS, RESTART_BACKOFF_MIN_MS * 2 ** (fruitless - 3));
}
