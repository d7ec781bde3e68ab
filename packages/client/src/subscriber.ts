import { Code } from '@tidewire/core';
import type { CatchUp, Error as ErrorFrame, Events, Progress, Subscribed } from '@tidewire/schemas';
import type { Connection } from './connection.js';
import type { Cursor } from './cursor.js';
import type { Environment } from './environment.js';
import { TidewireError } from './error.js';
import type { Change } from './held-records.js';
import { Interest, type InterestFields } from './interest.js';
import { badFrame, encodeSubscribe, encodeUnsubscribe } from './protocol.js';
import type { ServerClock } from './server-clock.js';
import type { QueryOptions, SubscribeOptions, Subscription } from './subscription.js';

type Handlers = Pick<SubscribeOptions & QueryOptions, 'onReady' | 'onGap' | 'onLag' | 'onEnd'>;

/** A subscription with what it needs of the present connection. */
interface Standing {
  readonly interest: Interest;
  readonly handlers: Handlers;
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
  readonly cursor: Cursor;
  readonly environment: Environment;
  readonly timeoutMs: number;
}

/**
 * Knows which subscription a frame is for and asks for all of them again on every connection. A handler
 * awaits nothing: what it throws is reported and stops nobody else's events.
 */
export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #standing = new Map<number, Standing>();
  /** Topics of the present connection. */
  readonly #topics = new Map<number, Set<Standing>>();
  /** What the server has told of its progress and the cursor has not taken yet. */
  #progress: Map<number, number> | undefined;
  #lastSubscriptionId = 0;
  #end: TidewireError | undefined;

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  /** Resolves once the server delivers. */
  subscribe(
    fields: InterestFields,
    onChange: (change: Change) => void,
    handlers: Handlers,
  ): Promise<Subscription> {
    return new Promise((resolve, reject) => {
      const { connection, environment, timeoutMs } = this.#options;
      if (this.#end) return reject(this.#end);
      const { subscriptionsMax } = connection.server.limits;
      if (this.#standing.size >= subscriptionsMax)
        return reject(
          new TidewireError(Code.TOO_LARGE, `There are ${subscriptionsMax} subscriptions already.`),
        );
      const interest = this.#newInterest(fields, onChange, handlers);
      const cancelTimer = environment.startTimer(() => this.#giveUp(standing), timeoutMs);
      const call = { resolve, reject, cancelTimer };
      const standing: Standing = { interest, handlers, topics: [], call };
      this.#standing.set(interest.subscriptionId, standing);
      if (connection.isReady) this.#ask(standing, 'none');
    });
  }

  onReady(): void {
    const { connection, cursor } = this.#options;
    const fate = cursor.welcome(connection.server);
    for (const standing of [...this.#standing.values()]) this.#ask(standing, fate);
  }

  onLost(): void {
    this.#topics.clear();
    this.#progress = undefined;
  }

  onSubscribed({ subscriptionId, topics }: Subscribed): void {
    const standing = this.#standing.get(subscriptionId);
    if (standing === undefined) return; // closed meanwhile
    this.#leaveTopics(standing);
    standing.topics = topics;
    for (const topic of topics) this.#join(topic, standing);
    takeCall(standing)?.resolve(this.#subscriptionOf(standing));
    standing.interest.onSubscribed();
  }

  /** @throws TidewireError INVALID for an event of an unknown kind. */
  onEvents({ topic, events }: Events): void {
    for (const event of events) {
      this.#options.cursor.see(event.partition, Number(event.sequence));
      for (const { interest } of this.#topics.get(topic) ?? []) interest.onEvent(event);
    }
  }

  /** @throws TidewireError INVALID for slices that break their rules. */
  onCatchUp(catchUp: CatchUp): void {
    const { connection, cursor } = this.#options;
    // A slice has all that it shows up to its sequence, also by leaving a key out.
    for (const { partition, sequence } of catchUp.slices) cursor.see(partition, Number(sequence));
    const standing = this.#standing.get(catchUp.subscriptionId);
    standing?.interest.onCatchUp(catchUp, connection.server.salt);
    this.#moveCursor();
  }

  /** @throws TidewireError INVALID for a Progress of another epoch. */
  onProgress({ epoch, delivered }: Progress): void {
    if (epoch !== this.#options.connection.server.epoch)
      throw badFrame('is a Progress of another epoch');
    this.#progress ??= new Map();
    for (const { partition, sequence } of delivered)
      this.#progress.set(partition, Number(sequence));
    this.#moveCursor();
  }

  onLag(isLagging: boolean): void {
    for (const { handlers } of [...this.#standing.values()])
      this.#guard(() => handlers.onLag?.(isLagging));
  }

  /** The server refused a subscription. */
  onError(frame: ErrorFrame): void {
    const standing = this.#standing.get(frame.subscriptionId);
    if (standing === undefined) return;
    const { code, detail, retryAfterMs } = frame;
    const error = new TidewireError(code, detail, { retryAfterMs });
    const renewal = standing.call === undefined;
    if (renewal && isTransient(code)) this.#options.connection.fail(error);
    else this.#finish(standing, error);
  }

  onEnd(error: TidewireError): void {
    this.#end = error;
    for (const standing of [...this.#standing.values()]) this.#finish(standing, error);
  }

  /**
   * Not while a subscription resumes: the server may have sent this before it read of that one, whose
   * changes from the earlier cursor on would then be skipped after another loss.
   */
  #moveCursor(): void {
    const progress = this.#progress;
    const interests = [...this.#standing.values()].map(({ interest }) => interest);
    if (progress === undefined || interests.some(({ isResuming }) => isResuming)) return;
    this.#progress = undefined;
    this.#options.cursor.move(progress);
    for (const interest of interests)
      for (const [partition, sequence] of progress) interest.onProgress(partition, sequence);
  }

  #newInterest(
    fields: InterestFields,
    onChange: (change: Change) => void,
    { onReady, onGap }: Handlers,
  ): Interest {
    return new Interest(++this.#lastSubscriptionId, fields, {
      onChange: (change) => this.#guard(() => onChange(change)),
      onReady: () => this.#guard(() => onReady?.()),
      onGap: (reason) => this.#guard(() => onGap?.(reason)),
    });
  }

  #ask({ interest }: Standing, fate: Parameters<Interest['ask']>[0]): void {
    const { connection, clock } = this.#options;
    const fields = interest.ask(fate);
    if (!this.#standing.has(interest.subscriptionId)) return; // closed by its own onGap
    connection.send(encodeSubscribe(clock.packed, fields));
  }

  #join(topic: number, standing: Standing): void {
    const joined = this.#topics.get(topic);
    if (joined) joined.add(standing);
    else this.#topics.set(topic, new Set([standing]));
  }

  #leaveTopics(standing: Standing): void {
    for (const topic of standing.topics) {
      const joined = this.#topics.get(topic);
      joined?.delete(standing);
      if (joined?.size === 0) this.#topics.delete(topic);
    }
  }

  #subscriptionOf(standing: Standing): Subscription {
    const { map, key, where } = standing.interest.fields;
    return {
      map,
      key: key === '' ? undefined : key,
      where,
      close: () => this.#withdraw(standing),
    };
  }

  #giveUp(standing: Standing): void {
    const call = takeCall(standing);
    this.#withdraw(standing);
    call?.reject(
      new TidewireError(Code.UNAVAILABLE, 'The subscription was not confirmed in time.'),
    );
  }

  #withdraw(standing: Standing): void {
    const { connection, clock } = this.#options;
    if (!this.#forget(standing) || !connection.isReady) return;
    connection.send(encodeUnsubscribe(clock.packed, standing.interest.subscriptionId));
  }

  #finish(standing: Standing, error: TidewireError): void {
    this.#forget(standing);
    const call = takeCall(standing);
    if (call) call.reject(error);
    else this.#guard(() => standing.handlers.onEnd?.(error));
  }

  #forget(standing: Standing): boolean {
    standing.interest.close();
    this.#leaveTopics(standing);
    const isNews = this.#standing.delete(standing.interest.subscriptionId);
    this.#moveCursor();
    return isNews;
  }

  #guard(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#options.environment.reportError(error);
    }
  }
}

function takeCall(standing: Standing): PendingCall | undefined {
  const { call } = standing;
  standing.call = undefined;
  call?.cancelTimer();
  return call;
}

/** Worth another attempt: a renewal refused so is tried again with a new connection. */
function isTransient(code: Code): boolean {
  return code === Code.OVERLOADED || code === Code.UNAVAILABLE;
}
