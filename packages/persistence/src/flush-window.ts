import {
  BACKOFF_MAX_MS,
  BACKOFF_MIN_MS,
  BATCH_RECORDS_MAX,
  DATABASE_CONNECTIONS,
  FLUSH_INTERVAL_MS,
  FLUSH_RECORDS,
} from '@tidewire/core';

/** What of one worker's changes waits for the store. */
export interface Backlog {
  /** Changes not handed over. */
  readonly dirty: number;
  /** Since when there has been any, on the engine's clock. */
  readonly sinceMs: number;
}

/** Whether to flush now, SAFE writes apart: none of those waits for company. */
export function isDue(backlog: Backlog, nowMs: number): boolean {
  return backlog.dirty >= FLUSH_RECORDS || nowMs >= backlog.sinceMs + FLUSH_INTERVAL_MS;
}

/**
 * Most records of the next batch: short if SAFE writes are in it, and then with room beside them, so that
 * they keep no other write waiting; long under backlog. Halved by every failure and doubled by every
 * success since, for a database that needs too long for long ones.
 */
export function batchRecords(lane: number, halvings: number): number {
  const wanted = lane > 0 ? FLUSH_RECORDS + lane : BATCH_RECORDS_MAX;
  return Math.max(1, Math.min(wanted, BATCH_RECORDS_MAX) >> halvings);
}

/**
 * So many SAFE writes begin the next batch, while one with `laneInFlight` of them is on its way: enough
 * that two take turns at the store, and not so few that each pays a commit of its own.
 */
export function laneWanted(laneInFlight: number): number {
  return Math.max(1, laneInFlight >> 1);
}

/**
 * Flushes at once of all workers for which no SAFE write waits. Each takes a core's time, of which half are
 * left to the work in front; and one connection is left to SAFE writes.
 */
export function backgroundFlushesOf(cores: number): number {
  return Math.max(1, Math.min(cores >> 1, DATABASE_CONNECTIONS - 1));
}

/** So many halvings make one record of the longest batch. */
export const HALVINGS_MAX: number = Math.log2(BATCH_RECORDS_MAX);

/** Pause after the n-th failure in a row: doubling, bounded, half of it by chance. */
export function backoffMs(failures: number, random: number): number {
  const whole = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures - 1, 16));
  return whole / 2 + (whole / 2) * random;
}
