/** Tells whether a thread still takes turns, from the heartbeat that it counts up. */
export class HeartbeatWatch {
  #heartbeat: number;
  #seenAtMs: number;
  readonly #hangMs: number;
  readonly #startMs: number;
  #hasBeaten = false;

  /** When the heartbeat was last seen to have moved, or the watch began. */
  get seenAtMs(): number {
    return this.#seenAtMs;
  }

  /** Times are of any clock that never falls. A thread has `startMs` for its first beat. */
  constructor(heartbeat: number, nowMs: number, limits: { hangMs: number; startMs: number }) {
    this.#heartbeat = heartbeat;
    this.#seenAtMs = nowMs;
    this.#hangMs = limits.hangMs;
    this.#startMs = Math.max(limits.hangMs, limits.startMs);
  }

  /** True once the heartbeat has stood still for too long. */
  isHung(heartbeat: number, nowMs: number): boolean {
    if (heartbeat !== this.#heartbeat) {
      this.#heartbeat = heartbeat;
      this.#seenAtMs = nowMs;
      this.#hasBeaten = true;
    }
    return nowMs - this.#seenAtMs >= (this.#hasBeaten ? this.#hangMs : this.#startMs);
  }
}
