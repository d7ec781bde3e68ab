import {
  assert,
  Code,
  MAPS_LENT_A_PRINCIPAL_MAX,
  RATES_A_TOPIC_MAX,
  SUBSCRIPTIONS_UNINDEXED_A_PRINCIPAL_MAX,
} from '@tidewire/core';
import { TopicFault, type TopicRegister } from '@tidewire/partition-worker/front';
import type { Subscribe, Unsubscribe } from '@tidewire/schemas';
import type { Audit } from '../access/audit.js';
import type { ControlFrames } from '../control-frames.js';
import { eachOf, fewHas, fewSize, fewWith, fewWithout } from '../few.js';
import type { GatewayLimits } from '../gateway-limits.js';
import { Refusal } from '../refusal.js';
import type { Session } from '../session/session.js';
import type { CatchUpDesk } from './catch-up-desk.js';
import { planAfter, SNAPSHOT_PLAN } from './catch-up-plan.js';
import type { Conflation } from './conflation.js';
import type { EventBus } from './event-bus.js';
import type { LagDesk } from './lag.js';
import type { ProgressDesk, Published } from './progress.js';
import { type Wanted, wantedOf, withinPermit } from './subscribe-check.js';
import type { Subscription } from './subscription.js';
import { SubscriptionTally } from './subscription-tally.js';
import type { Topic } from './topic.js';

/**
 * The life of subscriptions: each waits for its topic, joins, catches up and is complete; a session
 * that lags has left them all for a while.
 */
export class SubscriptionDesk {
  readonly tally: SubscriptionTally = new SubscriptionTally();
  readonly #topics: TopicRegister<Topic>;
  readonly #bus: EventBus;
  readonly #conflation: Conflation;
  readonly #catchUps: CatchUpDesk;
  readonly #progress: ProgressDesk;
  readonly #lag: LagDesk;
  readonly #limits: GatewayLimits;
  readonly #control: ControlFrames;
  readonly #audit: Audit;
  readonly #send: (session: Session, bytes: Uint8Array) => void;

  constructor(options: {
    topics: TopicRegister<Topic>;
    bus: EventBus;
    conflation: Conflation;
    catchUps: CatchUpDesk;
    progress: ProgressDesk;
    lag: LagDesk;
    limits: GatewayLimits;
    control: ControlFrames;
    audit: Audit;
    send: (session: Session, bytes: Uint8Array) => void;
  }) {
    this.#topics = options.topics;
    this.#bus = options.bus;
    this.#conflation = options.conflation;
    this.#catchUps = options.catchUps;
    this.#progress = options.progress;
    this.#lag = options.lag;
    this.#limits = options.limits;
    this.#control = options.control;
    this.#audit = options.audit;
    this.#send = options.send;
    this.#catchUps.onDone = (subscription) => this.#complete(subscription);
    this.#progress.onBegun = () => this.#enterAll();
    this.#lag.onSlow = (session) => this.#suspend(session);
    this.#lag.onDrained = (session) => this.#restore(session);
  }

  /** Begins a subscription, or refuses it by an error and has done nothing. */
  subscribe(session: Session, message: Subscribe): void {
    const wanted = this.#permitted(session, message);
    const fault = wanted instanceof Refusal ? wanted : this.#limitFault(session, message, wanted);
    if (fault !== undefined || wanted instanceof Refusal)
      return this.refuse(session, message.subscriptionId, fault as Refusal);
    const unwritten = this.#topics.isUnwritten(wanted.map) ? message.map : undefined;
    const topic = this.#topics.claim(wanted.map, { ...wanted, withOld: message.withOld });
    if (topic instanceof TopicFault)
      return this.refuse(session, message.subscriptionId, new Refusal(topic.code, topic.detail));
    const { subscriptionId: id } = message;
    const perSecond = rateOf(topic, message.maxHz);
    const subscription: Subscription = {
      id,
      session,
      topic,
      conflated: perSecond === 0 ? undefined : this.#conflation.claim(topic, perSecond),
      unwritten,
      isRestricted: wanted.isRestricted,
      isAnnounced: false,
      isJoined: false,
      plan: wanted.plan,
      catchUp: undefined,
      since: undefined,
    };
    session.subscriptions = fewWith(session.subscriptions, subscription);
    countIn(session, subscription, 1);
    this.tally.count(topic, 1);
    topic.subscriptions = fewWith(topic.subscriptions, subscription);
    // From here on Progress would be ahead of what this subscription has been sent.
    if (wanted.plan !== undefined) this.#progress.dismiss(session);
    this.#maybeEnter(subscription);
  }

  /** Says why a subscription is not begun, or ended. */
  refuse(session: Session, subscriptionId: number, refusal: Refusal): void {
    const { code, detail, retryAfterMs } = refusal;
    this.#send(session, this.#control.error(code, { detail, subscriptionId, retryAfterMs }));
  }

  unsubscribe(session: Session, { subscriptionId }: Unsubscribe): void {
    const subscription = subscriptionOf(session, subscriptionId);
    if (subscription === undefined) {
      const detail = 'There is no such subscription.';
      return this.refuse(session, subscriptionId, new Refusal(Code.INVALID, detail));
    }
    this.#end(subscription);
    this.#send(session, this.#control.unsubscribed(subscriptionId));
    this.#maybeAdmit(session);
  }

  /** Ends all subscriptions of a session that closes. */
  forget(session: Session): void {
    this.#bus.discard(session);
    this.#progress.dismiss(session);
    for (const subscription of eachOf(session.subscriptions)) this.#end(subscription);
    this.#lag.forget(session);
  }

  /** A worker's marker has come. */
  onSubscribed(worker: number, topicId: number): void {
    const topic = this.#topics.onSubscribed(worker, topicId);
    if (topic === undefined) return;
    for (const subscription of eachOf(topic.subscriptions)) this.#maybeEnter(subscription);
  }

  /** What it asks for, as far as the session is permitted to. */
  #permitted(session: Session, message: Subscribe): Wanted | Refusal {
    const { authority, resumption } = session;
    const wanted = wantedOf(message, resumption);
    if (authority === undefined || wanted instanceof Refusal) return wanted;
    const permit = authority.permitsOn(message.map).subscribe;
    if (permit === 'nothing') this.#audit.onDenied(session, message.map, 'subscribe');
    return withinPermit(wanted, permit, message, resumption);
  }

  #limitFault(session: Session, message: Subscribe, wanted: Wanted): Refusal | undefined {
    if (subscriptionOf(session, message.subscriptionId) !== undefined)
      return new Refusal(Code.INVALID, 'The subscription id is in use.');
    const { subscriptions: max, subscriptionsUnindexed: unindexedMax } = this.#limits;
    if (fewSize(session.subscriptions) >= max)
      return new Refusal(Code.TOO_LARGE, `A connection has ${max} subscriptions at most.`);
    if (wanted.isLinear && linearCount(session) >= unindexedMax) {
      const detail = `A connection has ${unindexedMax} predicates at most that no index serves.`;
      return new Refusal(Code.TOO_LARGE, detail);
    }
    return this.#shareFault(session, message, wanted);
  }

  /** Why it is more than one principal may have of what is there for all. */
  #shareFault({ principal }: Session, { map }: Subscribe, wanted: Wanted): Refusal | undefined {
    if (principal === undefined) return undefined;
    const { unindexed, unwritten } = principal;
    const tooMany = (count: number, what: string): Refusal => {
      const detail = `Whoever may not do everything has ${count} ${what} at most.`;
      return new Refusal(Code.TOO_LARGE, detail);
    };
    if (wanted.isLinear && unindexed >= SUBSCRIPTIONS_UNINDEXED_A_PRINCIPAL_MAX)
      return tooMany(SUBSCRIPTIONS_UNINDEXED_A_PRINCIPAL_MAX, 'predicates that no index serves');
    const isFull = unwritten.size >= MAPS_LENT_A_PRINCIPAL_MAX && !unwritten.has(map);
    if (isFull && this.#topics.isUnwritten(wanted.map))
      return tooMany(MAPS_LENT_A_PRINCIPAL_MAX, 'subscribed maps that nobody has written');
    return undefined;
  }

  #enterAll(): void {
    for (const topic of [...this.#topics.values()])
      for (const subscription of eachOf(topic.subscriptions)) this.#maybeEnter(subscription);
  }

  /**
   * Joins, once the topic is live and the session reads, and not before the first Progress: from there
   * on it can be told where it began, should it lag.
   */
  #maybeEnter(subscription: Subscription): void {
    const { id, session, topic } = subscription;
    if (!topic.isLive || !this.#progress.hasBegun) return;
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
    for (const { plan, isJoined } of eachOf(session.subscriptions)) {
      if (plan !== undefined) return;
      if (isJoined) complete++;
    }
    if (complete > 0) this.#progress.admit(session);
    else this.#progress.dismiss(session);
  }

  /** The session reads too slowly: it is told, and hears nothing until it has read. */
  #suspend(session: Session): void {
    this.#bus.discard(session); // the catch-up will have it
    const told = this.#progress.toldTo(session);
    this.#progress.dismiss(session);
    for (const subscription of eachOf(session.subscriptions)) {
      if (!subscription.isJoined) continue;
      this.#leave(subscription);
      subscription.plan = planLeft(subscription, told);
      this.#catchUps.cancel(subscription);
    }
    this.#send(session, this.#control.lag(true));
  }

  #restore(session: Session): void {
    this.#send(session, this.#control.lag(false));
    for (const subscription of eachOf(session.subscriptions)) this.#maybeEnter(subscription);
  }

  #end(subscription: Subscription): void {
    const { session, topic, conflated } = subscription;
    // What was before the end is heard. Sending may suspend the session, or close it.
    this.#bus.sendTo(session);
    if (!fewHas(session.subscriptions, subscription)) return;
    this.#catchUps.cancel(subscription);
    if (subscription.isJoined) this.#leave(subscription);
    session.subscriptions = fewWithout(session.subscriptions, subscription);
    countIn(session, subscription, -1);
    this.tally.count(topic, -1);
    topic.subscriptions = fewWithout(topic.subscriptions, subscription);
    if (conflated !== undefined) this.#conflation.release(conflated);
    if (topic.subscriptions === undefined) this.#topics.retire(topic);
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
  if (topic.key.length > 0) return SNAPSHOT_PLAN; // nobody knows which state it holds
  assert(since !== undefined, 'a complete subscription was complete at some time');
  const isTold = told !== undefined && told.round > since.round;
  return planAfter((isTold ? told : since).sequences);
}

/** Counts what the subscription uses of the share of its principal. */
function countIn({ principal }: Session, { topic, unwritten }: Subscription, change: 1 | -1): void {
  if (principal === undefined) return;
  if (topic.isLinear) principal.unindexed += change;
  if (unwritten === undefined) return;
  if (change > 0) principal.watch(unwritten);
  else principal.unwatch(unwritten);
}

/** Every rate costs at every event: beyond so many, one is rounded down to a power of 2, which are few. */
function rateOf({ conflated }: Topic, maxHz: number): number {
  if (maxHz === 0 || conflated === undefined || conflated.has(maxHz)) return maxHz;
  return conflated.size < RATES_A_TOPIC_MAX ? maxHz : 2 ** Math.floor(Math.log2(maxHz));
}

/** There are not so many that a table of them would pay. */
function subscriptionOf({ subscriptions }: Session, id: number): Subscription | undefined {
  return eachOf(subscriptions).find((subscription) => subscription.id === id);
}

function linearCount({ subscriptions }: Session): number {
  let count = 0;
  for (const { topic } of eachOf(subscriptions)) if (topic.isLinear) count++;
  return count;
}
