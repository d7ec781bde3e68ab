import type { Code } from '@tidewire/core';

/** What became of an operation: its outcome, or 0 if it was refused. */
export type Verdict = (outcome: Code) => void;

interface Awaited {
  readonly position: number;
  readonly tell: Verdict;
}

/**
 * Of the operations sent to one worker, those of which somebody wants to know what became of them. They are
 * answered in the order of their positions in the request ring, each once.
 */
export class Verdicts {
  #awaited: Awaited[] = [];
  #next = 0;

  /** `position`: behind the operation, which has been sent last. */
  expect(position: number, tell: Verdict): void {
    this.#awaited.push({ position, tell });
  }

  /** The operation at this position has been answered. */
  onResult(position: number, outcome: Code): void {
    while (this.#next < this.#awaited.length && this.#awaited[this.#next].position === position)
      this.#awaited[this.#next++].tell(outcome);
    if (this.#next < this.#awaited.length) return;
    this.#next = 0;
    if (this.#awaited.length > 0) this.#awaited = [];
  }
}
