import type { EntryEvent } from './entry.js';
import type { TidewireError } from './error.js';

export type EventHandler<T> = (event: EntryEvent<T>) => void;

export interface SubscribeOptions {
  /** Only this key; without it the whole map. */
  readonly key?: string;
  /**
   * The subscription is live again after a lost connection. What changed in between was not
   * delivered: read again whatever must be complete.
   */
  readonly onGap?: () => void;
  /** The subscription has ended by itself: the server refused to renew it, or the client ended. */
  readonly onEnd?: (error: TidewireError) => void;
}

/** A standing interest in a map or a key, live until it is closed. */
export interface Subscription {
  readonly map: string;
  readonly key: string | undefined;
  /** No event is delivered after this call. */
  close(): void;
}
