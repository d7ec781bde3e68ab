import { Code } from '@tidewire/core';
import type { Error as ErrorFrame, Events, Subscribed } from '@tidewire/schemas';
import type { Connection } from './connection.js';
import { type EntryEvent, entryEventOf } from './entry.js';
import type { Environment } from './environment.js';
import { TidewireError } from './error.js';
import { encodeSubscribe, encodeUnsubscribe } from './protocol.js';
import type { ServerClock } from './server-clock.js';
import type { EventHandler, SubscribeOptions, Subscription } from './subscription.js';

/** One subscription from the call to its end; its id is the same on every connection. */
interface Interest {
  readonly subscriptionId: number;
  readonly map: string;
  readonly key: string;
  readonly handler: EventHandler<unknown>;
  readonly options: SubscribeOptions;
  topics: readonly number[];
  /** Until the first answer: how to settle the call. */
  call: PendingCall | undefined;
}

interface PendingCall {
  resolve(subscription: Subscription): void;
  reject(error: TidewireError): void;
  cancelTimer(): void;
}

interface SubscriberOptions {
  readonly connection: Connection;
  readonly clock: ServerClock;
  readonly environment: Environment;
  readonly timeoutMs: number;
}

/** A handler awaits nothing: what it throws is reported and stops nobody else's events. */
export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #interests = new Map<number, Interest>();
  /** Topics of the present connection. */
  readonly #topics = new Map<number, Set<Interest>>();
  #lastSubscriptionId = 0;
  #end: TidewireError | undefined;

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  /** Resolves once the server delivers. An empty key means the whole map. */
  subscribe(
    target: { map: string; key: string },
    handler: EventHandler<unknown>,
    options: SubscribeOptions,
  ): Promise<Subscription> {
    return new Promise((resolve, reject) => {
      const { connection, environment, timeoutMs } = this.#options;
      if (this.#end) return reject(this.#end);
      const { subscriptionsMax } = connection.server.limits;
      if (this.#interests.size >= subscriptionsMax)
        return reject(
          new TidewireError(Code.TOO_LARGE, `There are ${subscriptionsMax} subscriptions already.`),
        );
      const subscriptionId = ++this.#lastSubscriptionId;
      const cancelTimer = environment.startTimer(() => this.#giveUp(interest), timeoutMs);
      const call = { resolve, reject, cancelTimer };
      const interest: Interest = {
        subscriptionId,
        ...target,
        handler,
        options,
        topics: [],
        call,
      };
      this.#interests.set(subscriptionId, interest);
      if (connection.isReady) this.#ask(interest);
    });
  }

  onReady(): void {
    for (const interest of this.#interests.values()) this.#ask(interest);
  }

  onLost(): void {
    this.#topics.clear();
  }

  onSubscribed({ subscriptionId, topics }: Subscribed): void {
    const interest = this.#interests.get(subscriptionId);
    if (interest === undefined) return; // closed meanwhile
    interest.topics = topics;
    for (const topic of topics) this.#join(topic, interest);
    const call = takeCall(interest);
    if (call) call.resolve(this.#subscriptionOf(interest));
    else this.#guard(() => interest.options.onGap?.());
  }

  /** @throws TidewireError INVALID for an event of an unknown kind. */
  onEvents({ topic, events }: Events): void {
    for (const message of events) {
      const event = entryEventOf(message);
      for (const interest of this.#topics.get(topic) ?? []) this.#deliver(interest, event);
    }
  }

  /** The server refused a subscription. */
  onError(frame: ErrorFrame): void {
    const interest = this.#interests.get(frame.subscriptionId);
    if (interest === undefined) return;
    const { code, detail, retryAfterMs } = frame;
    const error = new TidewireError(code, detail, { retryAfterMs });
    const renewal = interest.call === undefined;
    if (renewal && isTransient(code)) this.#options.connection.fail(error);
    else this.#finish(interest, error);
  }

  onEnd(error: TidewireError): void {
    this.#end = error;
    for (const interest of [...this.#interests.values()]) this.#finish(interest, error);
  }

  #ask({ subscriptionId, map, key }: Interest): void {
    const { connection, clock } = this.#options;
    connection.send(encodeSubscribe(clock.packed, { subscriptionId, map, key }));
  }

  #join(topic: number, interest: Interest): void {
    const joined = this.#topics.get(topic);
    if (joined) joined.add(interest);
    else this.#topics.set(topic, new Set([interest]));
  }

  #subscriptionOf(interest: Interest): Subscription {
    return {
      map: interest.map,
      key: interest.key === '' ? undefined : interest.key,
      close: () => this.#withdraw(interest),
    };
  }

  #deliver(interest: Interest, event: EntryEvent<unknown>): void {
    this.#guard(() => interest.handler(event));
  }

  #giveUp(interest: Interest): void {
    const call = takeCall(interest);
    this.#withdraw(interest);
    call?.reject(
      new TidewireError(Code.UNAVAILABLE, 'The subscription was not confirmed in time.'),
    );
  }

  #withdraw(interest: Interest): void {
    const { connection, clock } = this.#options;
    if (!this.#forget(interest) || !connection.isReady) return;
    connection.send(encodeUnsubscribe(clock.packed, interest.subscriptionId));
  }

  #finish(interest: Interest, error: TidewireError): void {
    this.#forget(interest);
    const call = takeCall(interest);
    if (call) call.reject(error);
    else this.#guard(() => interest.options.onEnd?.(error));
  }

  #forget(interest: Interest): boolean {
    for (const topic of interest.topics) {
      const joined = this.#topics.get(topic);
      joined?.delete(interest);
      if (joined?.size === 0) this.#topics.delete(topic);
    }
    return this.#interests.delete(interest.subscriptionId);
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.environment.reportError(error);
    }
  }
}

function takeCall(interest: Interest): PendingCall | undefined {
  const { call } = interest;
  interest.call = undefined;
  call?.cancelTimer();
  return call;
}

/** Worth another attempt: a renewal refused so is tried again with a new connection. */
function isTransient(code: Code): boolean {
  return code === Code.OVERLOADED || code === Code.UNAVAILABLE;
}
