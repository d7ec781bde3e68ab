/** No part of a turn takes longer, but for the last piece of work that it began. */
const PART_MS = 20;
/** Predicates tried between two signs of life: at their dearest a second's worth. */
const TRIES_A_SIGN = 32;

/**
 * How long the present part of a worker's turn has taken; and its sign of life while one change is
 * tried by so many predicates that the turn cannot end in time.
 */
export class TurnTime {
  readonly #elapsedMs: () => number;
  readonly #giveSign: () => void;
  #endMs = 0;
  #tries = 0;

  /** `elapsedMs`: milliseconds that never fall, any origin. */
  constructor(elapsedMs: () => number, giveSign: () => void) {
    this.#elapsedMs = elapsedMs;
    this.#giveSign = giveSign;
  }

  /** Begins a part of the turn. */
  begin(): void {
    this.#endMs = this.#elapsedMs() + PART_MS;
  }

  /** The part has had its time. */
  isOver(): boolean {
    return this.#elapsedMs() >= this.#endMs;
  }

  /** Call before a predicate is tried on a record. */
  readonly onTry = (): void => {
    if (++this.#tries < TRIES_A_SIGN) return;
    this.#tries = 0;
    this.#giveSign();
  };
}
