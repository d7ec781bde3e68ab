import type { HybridLogicalClock } from '@tidewire/core';
import { EventMessage, writeEventsHead } from '@tidewire/core/threads';
import { HeardChanges, type TopicRegister } from '@tidewire/partition-worker/front';
import { FrameBuffer, FramePool } from '../frame-buffer.js';
import type { Session } from '../session/session.js';
import type { Conflation } from './conflation.js';
import type { Feed } from './feed.js';
import { SingleEvents } from './single-events.js';
import type { Topic } from './topic.js';

/**
 * Broadcasts changes to subscribers. A change is encoded once by its worker and published once a
 * topic; what one session alone hears is sent to it together, whatever the topic. Publishing may
 * suspend or close any session: whoever publishes looks again afterwards.
 *
 * What was taken for a topic lies in one place, its own or that of the only session that hears it, and
 * leaves it before the other is used: so the events of a topic keep their order when sessions come
 * and go.
 */
export class EventBus {
  readonly #topics: TopicRegister<Topic>;
  readonly #conflation: Conflation;
  readonly #clock: HybridLogicalClock;
  readonly #beforePublish: () => void;
  readonly #publish: (topic: number, bytes: Uint8Array) => void;
  readonly #send: (session: Session, bytes: Uint8Array) => void;
  readonly #onPublished: (bytes: number) => void;
  readonly #pool: FramePool<FrameBuffer> = new FramePool(() => new FrameBuffer());
  readonly #single: SingleEvents;
  #touched: Topic[] = [];
  readonly #heard: HeardChanges = new HeardChanges();

  constructor(options: {
    topics: TopicRegister<Topic>;
    conflation: Conflation;
    clock: HybridLogicalClock;
    /** Results go out before the events of their changes. */
    beforePublish: () => void;
    publish: (topic: number, bytes: Uint8Array) => void;
    send: (session: Session, bytes: Uint8Array) => void;
    /** So many bytes have gone to each session of some feed. */
    onPublished: (bytes: number) => void;
  }) {
    this.#topics = options.topics;
    this.#conflation = options.conflation;
    this.#clock = options.clock;
    this.#beforePublish = options.beforePublish;
    this.#publish = options.publish;
    this.#send = options.send;
    this.#onPublished = options.onPublished;
    this.#single = new SingleEvents({
      clock: options.clock,
      beforeSend: options.beforePublish,
      send: options.send,
      onSent: options.onPublished,
    });
  }

  /** Takes the EVENT record at `at`; a change that a worker says again after a death is dropped. */
  onEvent(words: Int32Array, wordBytes: Uint8Array, at: number): void {
    if (!this.#heard.isNew(words, at)) return;
    const length = words[at + EventMessage.BYTES];
    const count = words[at + EventMessage.TOPIC_COUNT];
    const offset = (at + EventMessage.TOPICS + count) * 4;
    for (let i = 0; i < count; i++)
      this.#append(words[at + EventMessage.TOPICS + i], wordBytes, offset, length);
  }

  /** Publishes what was taken since the last call, one frame a topic or session where it fits. */
  flush(): void {
    const touched = this.#touched;
    this.#touched = [];
    for (const topic of touched) this.#publishShared(topic);
    this.#single.flush();
  }

  /** Publishes what was taken for one topic; call before a session joins it. */
  publishTopic(topic: Topic): void {
    const { only } = topic.feed;
    this.#publishShared(topic);
    if (only !== undefined) this.#single.sendTo(only);
  }

  /** Sends what was taken for one session alone; call before it leaves a topic. */
  sendTo(session: Session): void {
    this.#single.sendTo(session);
  }

  /** The session hears nothing more: what was taken for it alone is not sent. */
  discard(session: Session): void {
    this.#single.discard(session);
  }

  /** Publishes the entries of Events in `buffer`. */
  publishFrame(feed: Feed, buffer: FrameBuffer): void {
    this.#beforePublish();
    const { ms, counter } = this.#clock;
    const { bytes, end } = buffer;
    const start = writeEventsHead(bytes, buffer.start, end, feed.id, ms, counter);
    const frame = bytes.subarray(start, end);
    if (feed.isNative) this.#publish(feed.id, frame);
    else if (feed.only !== undefined) this.#send(feed.only, frame);
    this.#onPublished(end - start);
  }

  #append(topicId: number, bytes: Uint8Array, offset: number, length: number): void {
    const topic = this.#topics.get(topicId);
    if (topic === undefined) return; // retired while the event was on its way
    if (topic.conflated !== undefined)
      this.#conflation.hold(topic.conflated, bytes, offset, length);
    const { feed } = topic;
    const { only } = feed;
    if (only !== undefined && topic.events === undefined)
      this.#appendSingle(feed, only, bytes, offset, length);
    else if (feed.isHeard) this.#appendShared(topic, bytes, offset, length);
  }

  #appendShared(topic: Topic, bytes: Uint8Array, offset: number, length: number): void {
    if (topic.events?.hasRoom(length) === false) this.#publishShared(topic);
    if (topic.events === undefined) {
      if (this.#pool.isExhausted) this.flush();
      topic.events = this.#pool.take();
      this.#touched.push(topic);
    }
    topic.events.append(bytes, offset, length);
  }

  #appendSingle(
    feed: Feed,
    session: Session,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    this.#single.reserve(session, length);
    if (feed.only === session) this.#single.append(session, feed.id, bytes, offset, length);
  }

  #publishShared(topic: Topic): void {
    const buffer = topic.events;
    if (buffer === undefined) return;
    topic.events = undefined;
    this.publishFrame(topic.feed, buffer);
    this.#pool.give(buffer);
  }
}
