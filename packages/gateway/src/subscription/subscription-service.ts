import type { HybridLogicalClock } from '@tidewire/core';
import type { MapTable } from '@tidewire/core/threads';
import {
  type PartitionService,
  TopicRegister,
  type WorkerRequests,
} from '@tidewire/partition-worker/front';
import type { Subscribe, Unsubscribe } from '@tidewire/schemas';
import type { Audit } from '../access/audit.js';
import type { RuleRegister } from '../access/rule-register.js';
import type { ControlFrames } from '../control-frames.js';
import type { GatewayLimits } from '../gateway-limits.js';
import type { Refusal } from '../refusal.js';
import type { Session } from '../session/session.js';
import { StreamDesk } from '../stream/stream-desk.js';
import type { TurnTime } from '../turn-time.js';
import { CatchUpDesk } from './catch-up-desk.js';
import { Conflation } from './conflation.js';
import { EventBus } from './event-bus.js';
import { LagDesk } from './lag.js';
import { ProgressDesk } from './progress.js';
import { Pulse } from './pulse.js';
import { SubscriptionDesk } from './subscription-desk.js';
import type { MapSubscriptions } from './subscription-tally.js';
import { Topic } from './topic.js';

export interface SubscriptionServiceOptions {
  readonly mapTable: MapTable;
  readonly partitions: PartitionService;
  readonly requests: WorkerRequests;
  readonly rules: RuleRegister;
  readonly audit: Audit;
  readonly control: ControlFrames;
  readonly limits: GatewayLimits;
  readonly clock: HybridLogicalClock;
  readonly time: TurnTime;
  /** All that are open. */
  readonly sessions: () => Iterable<Session>;
  /** A number for a stream, never used twice. */
  readonly nextStream: () => number;
  /** Results go out before the events of their changes. */
  readonly beforePublish: () => void;
  readonly publish: (topic: number, bytes: Uint8Array) => void;
  readonly send: (session: Session, bytes: Uint8Array) => void;
}

/** Counts of what is there, and of what has been. */
export interface SubscriptionCounts {
  readonly subscriptions: number;
  readonly topics: number;
  /** Sessions that are being sent what they missed. */
  readonly catchingUp: number;
  /** Sessions that read too slowly now, and how often that has been. */
  readonly lagging: number;
  readonly lags: number;
  readonly catchUps: number;
  /** Events that a later one of the same key replaced before they were sent. */
  readonly conflated: number;
}

/** What serves subscriptions, put together: what workers say goes in, frames to sessions come out. */
export class SubscriptionService {
  readonly #topics: TopicRegister<Topic>;
  readonly #conflation: Conflation;
  readonly #bus: EventBus;
  readonly #streams: StreamDesk;
  readonly #catchUps: CatchUpDesk;
  readonly #progress: ProgressDesk;
  readonly #lag: LagDesk;
  readonly #desk: SubscriptionDesk;
  readonly #pulse: Pulse;

  constructor(options: SubscriptionServiceOptions) {
    const { requests, partitions } = options;
    this.#lag = new LagDesk(options.sessions);
    this.#topics = new TopicRegister({
      mapTable: options.mapTable,
      requests,
      rules: () => options.rules.all(),
      ownersOf: (interest) => partitions.ownersOf(interest),
      makeTopic: (id, interest, workers) => new Topic(id, interest, workers),
    });
    this.#conflation = new Conflation({
      nextId: () => this.#topics.nextId(),
      publish: (feed, buffer) => this.#bus.publishFrame(feed, buffer),
    });
    this.#bus = new EventBus({
      ...options,
      topics: this.#topics,
      conflation: this.#conflation,
      onPublished: (bytes) => this.#lag.onPublished(bytes),
    });
    this.#streams = new StreamDesk({ requests, nextNumber: options.nextStream });
    const parts = { ...options, bus: this.#bus, workers: requests.workers };
    this.#catchUps = new CatchUpDesk({ ...parts, streams: this.#streams });
    this.#progress = new ProgressDesk(parts);
    this.#desk = new SubscriptionDesk({
      ...parts,
      topics: this.#topics,
      conflation: this.#conflation,
      catchUps: this.#catchUps,
      progress: this.#progress,
      lag: this.#lag,
    });
    this.#pulse = new Pulse({ ...parts, conflation: this.#conflation, progress: this.#progress });
  }

  get counts(): SubscriptionCounts {
    return {
      subscriptions: this.#desk.tally.total,
      topics: this.#topics.count + this.#conflation.feeds,
      catchingUp: this.#streams.sessions,
      lagging: this.#lag.lagging,
      lags: this.#lag.suspended,
      catchUps: this.#catchUps.begun,
      conflated: this.#conflation.replaced,
    };
  }

  /** By the map's id. */
  subscriptionsOf(mapId: number): Readonly<MapSubscriptions> {
    return this.#desk.tally.of(mapId);
  }

  /** Sessions that read too slowly now. */
  laggards(): Iterable<Session> {
    return this.#lag.laggards();
  }

  /** Up to where Progress has told of each partition. */
  get progressTold(): Float64Array {
    return this.#progress.published.sequences;
  }

  subscribe(session: Session, message: Subscribe): void {
    this.#desk.subscribe(session, message);
  }

  /** Nothing of the message is done. */
  refuse(session: Session, message: Subscribe, refusal: Refusal): void {
    this.#desk.refuse(session, message.subscriptionId, refusal);
  }

  unsubscribe(session: Session, message: Unsubscribe): void {
    this.#desk.unsubscribe(session, message);
  }

  /** The session closes. */
  forget(session: Session): void {
    this.#desk.forget(session);
  }

  /** A worker has been started for the `start`-th time. */
  onWorkerStart(worker: number, start: number): void {
    this.#topics.onWorkerStart(worker, start);
    this.#streams.onWorkerStart(worker);
  }

  onSubscribed(worker: number, topicId: number): void {
    this.#desk.onSubscribed(worker, topicId);
  }

  onEvent(words: Int32Array, wordBytes: Uint8Array, at: number): void {
    this.#bus.onEvent(words, wordBytes, at);
  }

  onSlice(words: Int32Array, wordBytes: Uint8Array, at: number): void {
    this.#streams.onRecord(words, wordBytes, at);
  }

  onProgress(worker: number, words: Int32Array, at: number): void {
    this.#progress.onReport(worker, words, at);
  }

  /** What workers are to be told before they begin. Returns the work done. */
  introduce(): number {
    return this.#topics.introduce();
  }

  /** What is due by the clock, or because connections have read. Returns the work done. */
  doWork(): number {
    return this.#pulse.doWork() + this.#lag.doWork() + this.#streams.doWork();
  }

  /** A connection is to be looked at, whether it has read. */
  get isWatching(): boolean {
    return this.#streams.isWatching || this.#lag.lagging > 0;
  }

  /** Milliseconds until something may be due by the clock. */
  msLeft(): number {
    return this.#pulse.msLeft();
  }

  /** Publishes the events taken since the last call. */
  flush(): void {
    this.#bus.flush();
  }
}
