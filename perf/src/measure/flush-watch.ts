import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TidewireServer } from '../server-under-test.js';
import type { Seen } from './targets.js';

const LOOK_MS = 250;
const DRAIN_LOOK_MS = 20;
/** The bar: so long after the load everything is in the database. */
const DRAIN_MS_MAX = 5000;
const PATIENCE_MS = 30_000;

/** What must hold once the load is over. */
export interface Expected {
  /** Keys that the server holds; undefined: another look counts them. */
  readonly keys: number | undefined;
  /** How long the database may need to catch up; the bar of P1 unless said otherwise. */
  readonly drainMsMax?: number;
}

/**
 * Watches how far the database is behind while a run goes on. The returned function waits until
 * nothing is dirty, so that the other side is measured on a quiet machine.
 */
export function watchFlush(server: TidewireServer, expected: Expected): () => Promise<Seen> {
  const { keys, drainMsMax = DRAIN_MS_MAX } = expected;
  let lagMs = 0;
  let dirty = 0;
  const look = async (): Promise<void> => {
    const info = await server.info();
    lagMs = Math.max(lagMs, info.flushLagMs);
    dirty = Math.max(dirty, info.dirty);
  };
  const timer = setInterval(() => void look().catch(() => {}), LOOK_MS);
  return async () => {
    clearInterval(timer);
    const { drainMs, records } = await drain(server, Math.max(PATIENCE_MS, drainMsMax));
    const faults: string[] = [];
    if (drainMs > drainMsMax) faults.push(`the database needed ${drainMs} ms to catch up`);
    if (keys !== undefined && records !== keys)
      faults.push(`${keys} keys were written, the server holds ${records}`);
    const behind = `write-behind: up to ${dirty} changes and ${lagMs} ms behind`;
    return { notes: [`${behind}, drained in ${drainMs} ms`], faults };
  };
}

/** Waits until nothing is dirty, or for `patienceMs`. */
export async function drain(
  server: TidewireServer,
  patienceMs: number = PATIENCE_MS,
): Promise<{ drainMs: number; records: number }> {
  const startedAt = performance.now();
  for (;;) {
    const { dirty, records } = await server.info();
    const drainMs = Math.round(performance.now() - startedAt);
    if (dirty === 0 || drainMs > patienceMs) return { drainMs, records };
    await sleep(DRAIN_LOOK_MS);
  }
}
