import {
  RESTART_BACKOFF_MAX_MS,
  RESTART_BACKOFF_MIN_MS,
  RESTART_STEADY_MS,
  RESTARTS_FRUITLESS_MAX,
} from '@tidewire/core';

/** What a worker's deaths so far say about the next start. */
export interface Deaths {
  /** In a row, with no operation executed in between, and none of a worker that was steady. */
  readonly fruitless: number;
  /** In a row, none of a worker that was steady, and none that an operation was to blame for. */
  readonly hurried: number;
  /** Where the request ring stood at the last death, if an operation was under way; else undefined. */
  readonly suspect: number | undefined;
}

export const NO_DEATHS: Deaths = { fruitless: 0, hurried: 0, suspect: undefined };

/** What was seen of a worker that has died. */
export interface Death {
  /** It has executed operations since it was started. Ticks, streams and house-keeping are none. */
  readonly hasExecuted: boolean;
  /** How long it took turns. */
  readonly livedMs: number;
  /** Position of the operation that it was executing, if it was. */
  readonly operationAt: number | undefined;
}

export type Verdict =
  | { readonly kind: 'RESTART'; readonly delayMs: number }
  /** The operation at this position has ended two workers: it is answered POISON and skipped. */
  | { readonly kind: 'SKIP'; readonly operationAt: number; readonly delayMs: number }
  | { readonly kind: 'GIVE_UP' };

/**
 * Only an operation that was under way at both deaths is blamed for them.
 *
 * Whoever sends operations that end workers gets at most two deaths for each: such a death, behind others
 * executed, asks for no pause. Any other cause lies in the worker itself and comes again, so that the pauses
 * grow even where clients' operations are executed before each death; but only a worker that executes none
 * at all is given up.
 */
export function judge(before: Deaths, death: Death): { deaths: Deaths; verdict: Verdict } {
  const { hasExecuted, operationAt } = death;
  const isSteady = death.livedMs >= RESTART_STEADY_MS;
  const isOfOperation = hasExecuted && operationAt !== undefined;
  const fruitless = isSteady || hasExecuted ? 1 : before.fruitless + 1;
  const hurried = isSteady || isOfOperation ? 1 : before.hurried + 1;
  const deaths = { fruitless, hurried, suspect: operationAt };
  if (fruitless > RESTARTS_FRUITLESS_MAX) return { deaths, verdict: { kind: 'GIVE_UP' } };
  const delayMs = backoffMs(hurried);
  if (!hasExecuted && operationAt !== undefined && operationAt === before.suspect)
    return { deaths, verdict: { kind: 'SKIP', operationAt, delayMs } };
  return { deaths, verdict: { kind: 'RESTART', delayMs } };
}

/** The first two starts come at once: one death is an accident, and the second names its cause. */
function backoffMs(hurried: number): number {
  if (hurried <= 2) return 0;
  return Math.min(RESTART_BACKOFF_MAX_MS, RESTART_BACKOFF_MIN_MS * 2 ** (hurried - 3));
}
