const SKIPPED_MAX = 64;

/**
 * Guesses whether the rows of a batch are all new, so that COPY straight into the table would take
 * them. That costs half of an upsert; a wrong guess costs the beginning of a COPY, so after each the
 * next is tried later, up to 64 batches.
 */
export class NewRowsGuess {
  #toSkip = 0;
  #skipNext = 1;

  /** Asked once a batch. */
  areNew(): boolean {
    if (this.#toSkip === 0) return true;
    this.#toSkip--;
    return false;
  }

  onRight(): void {
    this.#skipNext = 1;
  }

  onWrong(): void {
    this.#toSkip = this.#skipNext;
    this.#skipNext = Math.min(2 * this.#skipNext, SKIPPED_MAX);
  }
}
