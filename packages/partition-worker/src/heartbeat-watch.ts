import { WORKER_HANG_MS } from '@tidewire/core';

/** Tells whether a worker still takes turns, from the heartbeat that it counts up. */
export class HeartbeatWatch {
  #heartbeat = 0;
  #seenAtMs: number;
  readonly #hangMs: number;
  #hasBeaten = false;

  /** When the heartbeat was last seen to have moved, or the watch began. */
  get seenAtMs(): number {
    return this.#seenAtMs;
  }

  /** Times are of any clock that never falls. */
  constructor(heartbeat: number, nowMs: number, hangMs: number) {
    this.#heartbeat = heartbeat;
    this.#seenAtMs = nowMs;
    this.#hangMs = hangMs;
  }

  /** True once the heartbeat has stood still for too long; a thread may need longer to begin. */
  isHung(heartbeat: number, nowMs: number): boolean {
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat;
      this.#seenAtMs = nowMs;
      this.#hasBeaten = true;
    }
    const limitMs = this.#hasBeaten ? this.#hangMs : Math.max(this.#hangMs, WORKER_HANG_MS);
    return nowMs - this.#seenAtMs >= limitMs;
  }
}
