const BACKOFF_MIN_MS = 100;
/** The longest pause between two attempts; a connection that lived as long starts anew. */
export const BACKOFF_MAX_MS = 3_000;

/** The pause before reconnecting: doubles with each attempt, half of it at random. */
export function backoffMs(attempt: number, random: number): number {
  const full = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(attempt, 30));
  return full / 2 + (full / 2) * random;
}
