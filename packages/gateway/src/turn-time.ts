import type { PhysicalClock } from '@tidewire/core';

/** The wall clock read once a turn: what happens in one turn happens at one time. */
export class TurnTime {
  nowMs: number;
  readonly #clock: PhysicalClock;

  constructor(clock: PhysicalClock) {
    this.#clock = clock;
    this.nowMs = clock();
  }

  refresh(): number {
    this.nowMs = this.#clock();
    return this.nowMs;
  }
}
