import { median } from '../measure/statistics.js';

/** Seen at the end of a minute of a soak. */
export interface Minute {
  /** From 1. */
  readonly minute: number;
  readonly rssBytes: number;
  readonly storeBytes: number;
  readonly dirty: number;
  readonly p999Micros: number;
  readonly acked: number;
  readonly refused: number;
  readonly faults: readonly string[];
}

/** The first part of a soak may still grow: queues, code and journals find their size. */
const PART = 1 / 5;
/** "Flat". */
const STORE_GROWTH_MAX = 0.05;

/** Medians over a part of a soak. */
export interface Part {
  readonly firstMinute: number;
  readonly lastMinute: number;
  readonly rssBytes: number;
  readonly storeBytes: number;
}

/**
 * The fifth after the warm-up, itself a fifth, and the last fifth; a minute each at least.
 * REQUIRES: two minutes.
 */
export function partsOf(minutes: readonly Minute[]): { before: Part; after: Part } {
  const length = Math.max(1, Math.floor(PART * minutes.length));
  const warmUp = Math.min(length, minutes.length - 2);
  return {
    before: partOf(minutes.slice(warmUp, warmUp + length)),
    after: partOf(minutes.slice(-length)),
  };
}

/** What grew that must not, and load that was not there; resident memory is the figure itself. */
export function soakFaults(minutes: readonly Minute[]): string[] {
  const { before, after } = partsOf(minutes);
  const faults: string[] = [];
  if (after.storeBytes > before.storeBytes * (1 + STORE_GROWTH_MAX))
    faults.push(`the store grew from ${before.storeBytes} to ${after.storeBytes} bytes`);
  const idle = minutes.filter((minute) => minute.acked === 0).length;
  if (idle > 0) faults.push(`${idle} minutes without an acked operation`);
  return faults;
}

function partOf(minutes: readonly Minute[]): Part {
  return {
    firstMinute: minutes[0].minute,
    lastMinute: minutes[minutes.length - 1].minute,
    rssBytes: median(minutes.map((minute) => minute.rssBytes)),
    storeBytes: median(minutes.map((minute) => minute.storeBytes)),
  };
}
