/** Tells whether a worker still takes turns, from the heartbeat that it counts up. */
export class HeartbeatWatch {
  #heartbeat = 0;
  #seenAtMs: number;
  readonly #hangMs: number;

  /** Times are of any clock that never falls. */
  constructor(heartbeat: number, nowMs: number, hangMs: number) {
    this.#heartbeat = heartbeat;
    this.#seenAtMs = nowMs;
    this.#hangMs = hangMs;
  }

  /** True once the heartbeat has stood still for too long. */
  isHung(heartbeat: number, nowMs: number): boolean {
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat;
      this.#seenAtMs = nowMs;
    }
    return nowMs - this.#seenAtMs >= this.#hangMs;
  }
}
