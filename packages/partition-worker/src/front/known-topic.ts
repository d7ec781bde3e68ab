import type { Interest } from './interest.js';

/** What changes can concern, as its workers know it. */
export class KnownTopic {
  readonly id: number;
  readonly interest: Interest;
  readonly workers: readonly number[];
  /** Workers whose marker has not come yet. */
  readonly awaited: Set<number>;

  constructor(id: number, interest: Interest, workers: readonly number[]) {
    this.id = id;
    this.interest = interest;
    this.workers = workers;
    this.awaited = new Set(workers);
  }

  /** Whatever is said of it from now on is all there is. */
  get isLive(): boolean {
    return this.awaited.size === 0;
  }
}
