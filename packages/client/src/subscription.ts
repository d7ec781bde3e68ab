import type { Predicate } from '@tidewire/core';
import type { TidewireError } from './error.js';
import type { EntryEvent, QueryEvent } from './event.js';

export type EventHandler<T> = (event: EntryEvent<T>) => void;
export type QueryHandler<T> = (event: QueryEvent<T>) => void;

/** `now`: changes from now on. `snapshot`: first what stands, as if it had just come, then changes. */
export type From = 'now' | 'snapshot';

interface StandingOptions {
  readonly from?: From;
  /** At most so many deliveries a second, each with the latest state of a key; default: no bound. */
  readonly maxHz?: number;
  /**
   * Nothing is missing: what stood has been delivered, or what was missed after a lost connection.
   * Called each time that this has come about.
   */
  readonly onReady?: () => void;
  /**
   * Some changes could not be delivered one by one, for the reason given: what stands now is delivered
   * instead, and what does not stand any more as gone.
   */
  readonly onGap?: (reason: string) => void;
  /** True: this client reads too slowly, changes wait for it; false: it gets what it missed. */
  readonly onLag?: (isLagging: boolean) => void;
  /** The subscription has ended by itself: the server refused to renew it, or the client ended. */
  readonly onEnd?: (error: TidewireError) => void;
}

export interface SubscribeOptions extends StandingOptions {
  /** Only this key; without it the whole map. */
  readonly key?: string;
  /** Default `now`. */
  readonly from?: From;
}

export interface QueryOptions extends StandingOptions {
  /** Default `snapshot`. */
  readonly from?: From;
  /** `update` and `leave` carry the value before, too. */
  readonly withOld?: boolean;
}

/** A standing interest in a map, a key of it or what a predicate finds in it, until it is closed. */
export interface Subscription {
  readonly map: string;
  readonly key: string | undefined;
  readonly where: Predicate | undefined;
  /** No event is delivered after this call. */
  close(): void;
}
