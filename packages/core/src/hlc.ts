import { assert } from './assert.js';

/** Milliseconds since 1970 by a wall clock; may jump. */
export type PhysicalClock = () => number;

export const COUNTER_MAX = 0xffff;
export const STAMP_MS_MAX: number = 2 ** 47 - 1; // packed stamps stay positive as signed 64 bits
export const NODE_MAX = 0xffffff;

/** What became of a received stamp. */
export const Receipt = { ACCEPTED: 0, DRIFT: 1, BOUND: 2 } as const;
export type Receipt = (typeof Receipt)[keyof typeof Receipt];

/**
 * Hybrid logical clock (Kulkarni et al. 2014, "Logical Physical Clocks"): 48-bit milliseconds and a
 * 16-bit counter that never go backwards, whatever the wall clock does.
 *
 * Two departures, both against abuse: a received stamp beyond `max(now + driftMs, ms)` is refused
 * and changes nothing; where the clock itself is ahead of `now + driftMs` (the wall clock stepped
 * back) a receive adds one to the clock's own counter and ignores the sender's.
 *
 * The clock stays below `boundMs`, the time that the last start file promises never to have passed.
 */
export class HybridLogicalClock {
  ms = 0;
  counter = 0;
  boundMs: number = STAMP_MS_MAX;
  readonly #now: PhysicalClock;
  readonly #driftMs: number;

  constructor(options: { now: PhysicalClock; driftMs: number; startMs?: number }) {
    this.#now = options.now;
    this.#driftMs = options.driftMs;
    this.ms = options.startMs ?? 0;
  }

  /** Takes the next stamp, left in `ms` and `counter`. False at the bound: no stamp was taken. */
  tick(): boolean {
    const now = this.#now();
    if (now > this.ms) return this.#advance(now, 0);
    return this.#advance(this.ms, this.counter + 1);
  }

  /** Merges a sender's stamp. On anything but ACCEPTED the clock has not changed. */
  receive(ms: number, counter: number): Receipt {
    const now = this.#now();
    const horizon = now + this.#driftMs;
    if (ms > horizon && ms > this.ms) return Receipt.DRIFT;
    return this.#merge(now, horizon, ms, counter) ? Receipt.ACCEPTED : Receipt.BOUND;
  }

  #merge(now: number, horizon: number, ms: number, counter: number): boolean {
    const own = this.ms;
    if (own > horizon) return this.#advance(own, this.counter + 1);
    if (now > own && now > ms) return this.#advance(now, 0);
    if (own > ms) return this.#advance(own, this.counter + 1);
    if (ms > own) return this.#advance(ms, counter + 1);
    return this.#advance(own, Math.max(this.counter, counter) + 1);
  }

  #advance(ms: number, counter: number): boolean {
    const carry = counter > COUNTER_MAX;
    const nextMs = carry ? ms + 1 : ms;
    if (nextMs >= this.boundMs) return false;
    this.ms = nextMs;
    this.counter = carry ? 0 : counter;
    return true;
  }
}

/** A stamp as one unsigned 64-bit number: `ms << 16 | counter`. Keeps the order of stamps. */
export function packStamp(ms: number, counter: number): bigint {
  assert(ms >= 0 && ms <= STAMP_MS_MAX, 'stamp milliseconds out of range');
  return (BigInt(ms) << 16n) | BigInt(counter);
}

export function unpackStamp(packed: bigint): { ms: number; counter: number } {
  return { ms: Number(packed >> 16n), counter: Number(packed & 0xffffn) };
}
