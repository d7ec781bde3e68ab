import {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  BATCH_RECORDS_MAX,
  FLUSH_INTERVAL_MS,
  FLUSH_RECORDS,
} from '@tidewire/core';

/** What of one worker's changes waits for the store. */
export interface Backlog {
  /** Changes not handed over. */
  readonly dirty: number;
  /** SAFE writes whose answer waits. */
  readonly lane: number;
  /** Since when there has been any, on the engine's clock. */
  readonly sinceMs: number;
}

/** Whether to flush now. A SAFE write never waits for company. */
export function isDue(backlog: Backlog, nowMs: number): boolean {
  if (backlog.lane > 0 || backlog.dirty >= FLUSH_RECORDS) return true;
  return nowMs >= backlog.sinceMs + FLUSH_INTERVAL_MS;
}

/**
 * Most records of the next batch: short while SAFE writes wait behind it, long under backlog. Halved by
 * every failure and doubled by every success since, for a database that needs too long for long ones.
 */
export function batchRecords(backlog: Backlog, halvings: number): number {
  const wanted = backlog.lane > 0 ? Math.max(FLUSH_RECORDS, backlog.lane) : BATCH_RECORDS_MAX;
  return Math.max(1, Math.min(wanted, BATCH_RECORDS_MAX) >> halvings);
}

/** So many halvings make one record of the longest batch. */
export const HALVINGS_MAX: number = Math.log2(BATCH_RECORDS_MAX);

/** Pause after the n-th failure in a row: doubling, bounded, half of it by chance. */
export function backoffMs(failures: number, random: number): number {
  const whole = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures - 1, 16));
  return whole / 2 + (whole / 2) * random;
}
