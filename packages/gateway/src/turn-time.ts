import type { PhysicalClock } from '@tidewire/core';

/** The wall clock read once a turn: what happens in one turn happens at one time. */
export class TurnTime {
  nowMs: number;
  readonly #clock: PhysicalClock;
  readonly #elapsed: () => number;

  /** `elapsed`: milliseconds that never fall, any origin; deadlines are counted in them. */
  constructor(clock: PhysicalClock, elapsed: () => number) {
    this.#clock = clock;
    this.#elapsed = elapsed;
    this.nowMs = clock();
  }

  /** Not the wall clock: a deadline does not move with it. */
  elapsedMs(): number {
    return this.#elapsed();
  }

  refresh(): number {
    this.nowMs = this.#clock();
    return this.nowMs;
  }
}
