import { loadWord, WorkerControl } from '@tidewire/core/threads';

/** Looks that are remembered; beyond, what is younger counts as old as the newest of them. */
const MARKS_MAX = 64;

/** Of CHANGES as many were made before this time, and all others after it. */
interface Mark {
  readonly changes: number;
  readonly ms: number;
}

/** How far the database is behind one worker, told from the worker's counters. */
export class FlushLag {
  readonly #control: Int32Array;
  /** The newest that the database has all changes of, and those after it, oldest first. */
  readonly #marks: Mark[];

  constructor(control: SharedArrayBuffer, nowMs: number) {
    this.#control = new Int32Array(control);
    this.#marks = [{ changes: this.#changes, ms: nowMs }];
  }

  /** Changes that the database does not have. */
  get dirty(): number {
    const flushed = loadWord(this.#control, WorkerControl.CHANGES_FLUSHED);
    return Math.max(0, (this.#changes - flushed) | 0);
  }

  /** Call several times a second. */
  observe(nowMs: number): void {
    const whole = loadWord(this.#control, WorkerControl.CHANGES_WHOLE);
    while (this.#marks.length > 1 && ((whole - this.#marks[1].changes) | 0) >= 0)
      this.#marks.shift();
    const changes = this.#changes;
    if (this.dirty === 0) this.#marks.length = 0;
    else if (this.#marks.length > 1 && this.#marks.at(-1)?.changes === changes) this.#marks.pop();
    if (this.#marks.length < MARKS_MAX) this.#marks.push({ changes, ms: nowMs });
  }

  /** Age of the oldest change that the database does not have, at most. */
  lagMs(nowMs: number): number {
    this.observe(nowMs);
    return this.dirty === 0 ? 0 : Math.round(nowMs - this.#marks[0].ms);
  }

  get #changes(): number {
    return loadWord(this.#control, WorkerControl.CHANGES);
  }
}
