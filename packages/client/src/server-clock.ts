import {
  assert,
  HybridLogicalClock,
  NODE_MAX,
  packStamp,
  Receipt,
  unpackStamp,
} from '@tidewire/core';
import type { Stamp } from './stamp.js';

/** The most by which the learned offset is corrected without a step: far above a quartz's error. */
const SLEW_PER_MS = 0.001;

/**
 * This client's hybrid logical clock. Its physical part is the local *monotonic* clock plus an
 * offset learned from the server's frames: what the user's wall clock shows is never looked at, so
 * that a wrong one can neither lock the client out nor let it win over others.
 *
 * The server's stamps may be ahead of its wall clock by up to the drift, because some other client
 * is; so the offset follows them slowly and only steps when a clock has jumped.
 */
export class ServerClock {
  readonly node: number;
  readonly #monotonicMs: () => number;
  #clock: HybridLogicalClock;
  #offsetMs = 0;
  #sampledAtMs = 0;
  #driftMs = 0;

  constructor(options: { node: number; monotonicMs: () => number }) {
    assert(options.node >= 1 && options.node <= NODE_MAX, 'a node has 24 bits and is not 0');
    this.node = options.node;
    this.#monotonicMs = options.monotonicMs;
    this.#clock = this.#newClock();
  }

  /**
   * Takes the clock of a Welcome, asked for `roundTripMs` ago: the physical time learned from an
   * earlier connection is replaced. If the server's clock has fallen so far back that it would
   * refuse all our stamps, ours begins anew: then it has none of our writes above its own clock.
   */
  restart(stamp: bigint, { driftMs, roundTripMs }: { driftMs: number; roundTripMs: number }): void {
    const serverMs = unpackStamp(stamp).ms;
    this.#driftMs = driftMs;
    this.#sampledAtMs = this.#monotonicMs();
    this.#offsetMs = serverMs - this.#sampledAtMs;
    if (this.#clock.ms > serverMs + roundTripMs + driftMs) this.#clock = this.#newClock();
    this.#receive(stamp);
  }

  /** Takes the clock of any later frame. */
  observe(stamp: bigint): void {
    const now = this.#monotonicMs();
    this.#offsetMs = followedOffset({
      offsetMs: this.#offsetMs,
      sampleMs: unpackStamp(stamp).ms - now,
      elapsedMs: now - this.#sampledAtMs,
      driftMs: this.#driftMs,
    });
    this.#sampledAtMs = now;
    this.#receive(stamp);
  }

  /** The next stamp, above every one taken or received before. */
  tick(): Stamp {
    assert(this.#clock.tick(), 'the clock has room');
    return { ms: this.#clock.ms, counter: this.#clock.counter, node: this.node };
  }

  /** The state as frames carry it. */
  get packed(): bigint {
    return packStamp(this.#clock.ms, this.#clock.counter);
  }

  #newClock(): HybridLogicalClock {
    return new HybridLogicalClock({
      now: () => Math.floor(this.#monotonicMs() + this.#offsetMs),
      driftMs: Number.POSITIVE_INFINITY, // the server is the authority
    });
  }

  #receive(stamp: bigint): void {
    const { ms, counter } = unpackStamp(stamp);
    assert(this.#clock.receive(ms, counter) === Receipt.ACCEPTED, 'the server’s clock is accepted');
  }
}

/** The offset after one more sample of it: a step beyond the drift, a slow approach within. */
export function followedOffset(sample: {
  offsetMs: number;
  sampleMs: number;
  elapsedMs: number;
  driftMs: number;
}): number {
  const gap = sample.sampleMs - sample.offsetMs;
  if (Math.abs(gap) > sample.driftMs) return sample.sampleMs;
  const stepMax = sample.elapsedMs * SLEW_PER_MS;
  return sample.offsetMs + Math.max(-stepMax, Math.min(stepMax, gap));
}
