import { KnownTopic } from './front/known-topic.js';
import type { EntryEvent } from './record.js';

export type EventHandler<T = unknown> = (event: EntryEvent<T>) => void;

/** What some subscriptions of the embedding thread are about. */
export class PoolTopic extends KnownTopic {
  map = '';
  readonly handlers: Set<EventHandler> = new Set();
  /** Called when it is live. */
  waiting: (() => void)[] = [];

  goLive(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const resolve of waiting) resolve();
  }
}
