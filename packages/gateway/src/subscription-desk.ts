import {
  assert,
  Code,
  PREDICATES_A_MAP_MAX,
  RATES_A_TOPIC_MAX,
  SUBSCRIPTIONS_MAX,
  SUBSCRIPTIONS_UNINDEXED_MAX,
} from '@tidewire/core';
import { MAPS_FULL, type MapTable, NO_MAP } from '@tidewire/core/threads';
import {
  interestIn,
  type TopicRegister,
  type WorkerRequests,
} from '@tidewire/partition-worker/front';
import type { Subscribe, Unsubscribe } from '@tidewire/schemas';
import type { CatchUpDesk } from './catch-up-desk.js';
import { planAfter, SNAPSHOT_PLAN } from './catch-up-plan.js';
import type { Conflation } from './conflation.js';
import type { ControlFrames } from './control-frames.js';
import type { EventBus } from './event-bus.js';
import type { LagDesk } from './lag.js';
import type { ProgressDesk, Published } from './progress.js';
import { Refusal } from './refusal.js';
import type { Session } from './session.js';
import { type Wanted, wantedOf } from './subscribe-check.js';
import type { Subscription } from './subscription.js';
import type { Topic } from './topic.js';

/**
 * The life of subscriptions: each waits for its topic, joins, catches up and is complete; a session
 * that lags has left them all for a while.
 */
export class SubscriptionDesk {
  readonly #mapTable: MapTable;
  readonly #requests: WorkerRequests;
  readonly #topics: TopicRegister<Topic>;
  readonly #bus: EventBus;
  readonly #conflation: Conflation;
  readonly #catchUps: CatchUpDesk;
  readonly #progress: ProgressDesk;
  readonly #lag: LagDesk;
  readonly #control: ControlFrames;
  readonly #send: (session: Session, bytes: Uint8Array) => void;

  constructor(options: {
    mapTable: MapTable;
    requests: WorkerRequests;
    topics: TopicRegister<Topic>;
    bus: EventBus;
    conflation: Conflation;
    catchUps: CatchUpDesk;
    progress: ProgressDesk;
    lag: LagDesk;
    control: ControlFrames;
    send: (session: Session, bytes: Uint8Array) => void;
  }) {
    this.#mapTable = options.mapTable;
    this.#requests = options.requests;
    this.#topics = options.topics;
    this.#bus = options.bus;
    this.#conflation = options.conflation;
    this.#catchUps = options.catchUps;
    this.#progress = options.progress;
    this.#lag = options.lag;
    this.#control = options.control;
    this.#send = options.send;
    this.#catchUps.onDone = (subscription) => this.#complete(subscription);
    this.#catchUps.onForged = (subscription) => this.#refuseForged(subscription);
    this.#lag.onSlow = (session) => this.#suspend(session);
    this.#lag.onDrained = (session) => this.#restore(session);
  }

  /** Begins a subscription, or refuses it by an error and has done nothing. */
  subscribe(session: Session, message: Subscribe): void {
    const wanted = wantedOf(message, session.resumption);
    const fault = wanted instanceof Refusal ? wanted : this.#limitFault(session, message, wanted);
    if (fault !== undefined || wanted instanceof Refusal)
      return this.#refuse(session, message.subscriptionId, fault as Refusal);
    const topic = this.#topicOf(wanted, message.withOld);
    if (topic instanceof Refusal) return this.#refuse(session, message.subscriptionId, topic);
    const { subscriptionId: id, maxHz } = message;
    if (!this.#hasRate(topic, maxHz)) {
      const detail = `The topic is heard at ${RATES_A_TOPIC_MAX} other rates already.`;
      return this.#refuse(session, id, new Refusal(Code.OVERLOADED, detail));
    }
    const subscription: Subscription = {
      id,
      session,
      topic,
      conflated: maxHz === 0 ? undefined : this.#conflation.claim(topic, maxHz),
      isLinear: wanted.isLinear,
      isAnnounced: false,
      isJoined: false,
      plan: wanted.plan,
      catchUp: undefined,
      since: undefined,
    };
    session.subscriptions.set(id, subscription);
    topic.subscriptions.add(subscription);
    this.#lag.watch(session);
    // From here on Progress would be ahead of what this subscription has been sent.
    if (wanted.plan !== undefined) this.#progress.dismiss(session);
    this.#maybeEnter(subscription);
  }

  unsubscribe(session: Session, { subscriptionId }: Unsubscribe): void {
    const subscription = session.subscriptions.get(subscriptionId);
    if (subscription === undefined) {
      const detail = 'There is no such subscription.';
      return this.#refuse(session, subscriptionId, new Refusal(Code.INVALID, detail));
    }
    this.#end(subscription);
    this.#send(session, this.#control.unsubscribed(subscriptionId));
    this.#maybeAdmit(session);
  }

  /** Ends all subscriptions of a session that closes. */
  forget(session: Session): void {
    this.#progress.dismiss(session);
    for (const subscription of [...session.subscriptions.values()]) this.#end(subscription);
    this.#lag.forget(session);
  }

  /** A worker's marker has come. */
  onSubscribed(worker: number, topicId: number): void {
    const topic = this.#topics.onSubscribed(worker, topicId);
    if (topic === undefined) return;
    for (const subscription of [...topic.subscriptions]) this.#maybeEnter(subscription);
  }

  #refuse(session: Session, subscriptionId: number, refusal: Refusal): void {
    const { code, detail, retryAfterMs } = refusal;
    this.#send(session, this.#control.error(code, { detail, subscriptionId, retryAfterMs }));
  }

  #limitFault(session: Session, message: Subscribe, wanted: Wanted): Refusal | undefined {
    const { subscriptions } = session;
    if (subscriptions.has(message.subscriptionId))
      return new Refusal(Code.INVALID, 'The subscription id is in use.');
    if (subscriptions.size >= SUBSCRIPTIONS_MAX) return new Refusal(Code.TOO_LARGE);
    if (wanted.isLinear && linearCount(session) >= SUBSCRIPTIONS_UNINDEXED_MAX) {
      const detail = `At most ${SUBSCRIPTIONS_UNINDEXED_MAX} predicates that no index serves.`;
      return new Refusal(Code.TOO_LARGE, detail);
    }
    return undefined;
  }

  /** The topic of that meaning, registered if there is none. */
  #topicOf({ map, key, predicate }: Wanted, withOld: boolean): Topic | Refusal {
    const knownId = this.#mapTable.idOf(map, 0, map.length);
    const known = this.#topics.find(interestIn(knownId, { key, predicate, withOld }));
    if (known !== undefined) return known;
    if (this.#requests.isFull || this.#topics.isFull) return new Refusal(Code.OVERLOADED);
    if (predicate.length > 0 && this.#topics.predicatesOf(knownId) >= PREDICATES_A_MAP_MAX)
      return new Refusal(Code.OVERLOADED, 'The map has as many predicates as it may have.');
    if (!this.#topics.hasRoomFor(predicate.length))
      return new Refusal(Code.OVERLOADED, 'There is no room for more predicates.');
    const mapId = knownId === NO_MAP ? this.#mapTable.register(map, 0, map.length) : knownId;
    if (mapId === MAPS_FULL) return new Refusal(Code.TOO_LARGE);
    return this.#topics.add(interestIn(mapId, { key, predicate, withOld }));
  }

  /** Every rate costs at every event. A topic that is new has none. */
  #hasRate({ conflated }: Topic, maxHz: number): boolean {
    return maxHz === 0 || conflated.has(maxHz) || conflated.size < RATES_A_TOPIC_MAX;
  }

  /** Joins, once the topic is live and the session reads. */
  #maybeEnter(subscription: Subscription): void {
    const { id, session, topic } = subscription;
    if (!topic.isLive) return;
    // What the topic has is from before. Publishing may suspend or close sessions, this one too.
    this.#bus.publishTopic(topic);
    if (session.isLagging || session.isClosing) return;
    const feed = subscription.conflated ?? topic.feed;
    subscription.isJoined = true;
    feed.join(session);
    if (!subscription.isAnnounced) this.#send(session, this.#control.subscribed(id, feed.id));
    subscription.isAnnounced = true;
    if (session.isClosing) return;
    if (subscription.plan === undefined) this.#complete(subscription);
    else this.#catchUps.begin(subscription, subscription.plan);
  }

  /** Nothing of the subscription is missing any more. */
  #complete(subscription: Subscription): void {
    subscription.plan = undefined;
    subscription.since = this.#progress.published;
    this.#maybeAdmit(subscription.session);
  }

  #maybeAdmit(session: Session): void {
    if (session.isLagging || session.isClosing) return;
    let complete = 0;
    for (const { plan, isJoined } of session.subscriptions.values()) {
      if (plan !== undefined) return;
      if (isJoined) complete++;
    }
    if (complete > 0) this.#progress.admit(session);
    else this.#progress.dismiss(session);
  }

  /** The session reads too slowly: it is told, and hears nothing until it has read. */
  #suspend(session: Session): void {
    const told = this.#progress.toldTo(session);
    this.#progress.dismiss(session);
    for (const subscription of session.subscriptions.values()) {
      if (!subscription.isJoined) continue;
      this.#leave(subscription);
      subscription.plan = planLeft(subscription, told);
      this.#catchUps.cancel(subscription);
    }
    this.#send(session, this.#control.lag(true));
  }

  #restore(session: Session): void {
    this.#send(session, this.#control.lag(false));
    for (const subscription of [...session.subscriptions.values()]) this.#maybeEnter(subscription);
  }

  #refuseForged(subscription: Subscription): void {
    const { id, session } = subscription;
    this.#end(subscription);
    const detail = 'The cursor is above what its partition has reached.';
    this.#refuse(session, id, new Refusal(Code.INVALID, detail));
    this.#maybeAdmit(session);
  }

  #end(subscription: Subscription): void {
    const { id, session, topic, conflated } = subscription;
    this.#catchUps.cancel(subscription);
    if (subscription.isJoined) this.#leave(subscription);
    session.subscriptions.delete(id);
    topic.subscriptions.delete(subscription);
    if (conflated !== undefined) this.#conflation.release(conflated);
    if (topic.subscriptions.size === 0) this.#topics.retire(topic);
    if (session.subscriptions.size === 0) this.#lag.unwatch(session);
  }

  #leave(subscription: Subscription): void {
    const { conflated, session, topic } = subscription;
    subscription.isJoined = false;
    if (conflated === undefined) topic.feed.leave(session);
    else this.#conflation.leave(conflated, session);
  }
}

/** What a subscription that leaves its topic now will have to be sent. */
function planLeft(subscription: Subscription, told: Published | undefined): Subscription['plan'] {
  const { plan, catchUp, since, topic } = subscription;
  if (plan !== undefined) return catchUp?.planLeft ?? plan;
  if (topic.interest.key.length > 0) return SNAPSHOT_PLAN; // nobody knows which state it holds
  assert(since !== undefined, 'a complete subscription was complete at some time');
  const isTold = told !== undefined && told.round > since.round;
  return planAfter((isTold ? told : since).sequences);
}

function linearCount({ subscriptions }: Session): number {
  let count = 0;
  for (const { isLinear } of subscriptions.values()) if (isLinear) count++;
  return count;
}
