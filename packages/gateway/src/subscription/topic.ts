import { type Interest, KnownTopic } from '@tidewire/partition-worker/front';
import type { Few } from '../few.js';
import type { FrameBuffer } from '../frame-buffer.js';
import type { ConflatedFeed } from './conflation.js';
import { Feed } from './feed.js';
import type { Subscription } from './subscription.js';

/** What a change can concern, shared by all subscriptions of the same meaning. */
export class Topic extends KnownTopic {
  /** All of them, joined or not; without any the topic is retired. */
  subscriptions: Few<Subscription>;
  /** Every event, as soon as it is there. */
  readonly feed: Feed;
  /** By deliveries a second; undefined: none. */
  conflated: Map<number, ConflatedFeed> | undefined;
  /** Events for `feed` that have not been published. */
  events: FrameBuffer | undefined;

  constructor(id: number, interest: Interest, workers: readonly number[]) {
    super(id, interest, workers);
    this.feed = new Feed(id);
  }
}
