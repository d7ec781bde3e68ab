import { WORKER_HANG_MS } from '@tidewire/core';

/** Tells whether a worker still takes turns, from the heartbeat that it counts up. */
export class HeartbeatWatch {
  #heartbeat = 0;
  #seenAtMs: number;

  /** Times are of any clock that never falls. */
  constructor(heartbeat: number, nowMs: number) {
    this.#heartbeat = heartbeat;
    this.#seenAtMs = nowMs;
  }

  /** True once the heartbeat has stood still for too long. */
  isHung(heartbeat: number, nowMs: number): boolean {
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat;
      this.#seenAtMs = nowMs;
    }
    return nowMs - this.#seenAtMs >= WORKER_HANG_MS;
  }
}
