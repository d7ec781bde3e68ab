import type { ConflatedFeed } from './conflation.js';
import { Feed } from './feed.js';
import type { FrameBuffer } from './frame-buffer.js';
import type { Interest } from './interest.js';
import type { Subscription } from './subscription.js';

/** What a change can concern, shared by all subscriptions of the same meaning. */
export class Topic {
  readonly id: number;
  readonly interest: Interest;
  readonly workers: readonly number[];
  /** Workers whose marker has not come yet. */
  readonly awaited: Set<number>;
  /** All of them, joined or not; without any the topic is retired. */
  readonly subscriptions: Set<Subscription> = new Set();
  /** Every event, as soon as it is there. */
  readonly feed: Feed;
  /** By deliveries a second. */
  readonly conflated: Map<number, ConflatedFeed> = new Map();
  /** Events for `feed` that have not been published. */
  events: FrameBuffer | undefined;

  constructor(id: number, interest: Interest, workers: readonly number[]) {
    this.id = id;
    this.interest = interest;
    this.workers = workers;
    this.awaited = new Set(workers);
    this.feed = new Feed(id);
  }

  /** Whatever is said of it from now on is all there is. */
  get isLive(): boolean {
    return this.awaited.size === 0;
  }
}
