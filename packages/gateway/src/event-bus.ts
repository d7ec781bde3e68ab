import { type HybridLogicalClock, PARTITIONS } from '@tidewire/core';
import { EventMessage, RecordLayout, writeEventsHead } from '@tidewire/core/threads';
import type { Conflation } from './conflation.js';
import type { Feed } from './feed.js';
import { type FrameBuffer, FrameBufferPool } from './frame-buffer.js';
import type { Topic } from './topic.js';
import type { TopicRegister } from './topic-register.js';

/**
 * Broadcasts changes to subscribers. A change is encoded once by its worker and published once a
 * topic. Publishing may suspend or close any session: whoever publishes looks again afterwards.
 */
export class EventBus {
  readonly #topics: TopicRegister;
  readonly #conflation: Conflation;
  readonly #clock: HybridLogicalClock;
  readonly #beforePublish: () => void;
  readonly #publish: (topic: number, bytes: Uint8Array) => void;
  readonly #onPublished: (bytes: number) => void;
  readonly #pool: FrameBufferPool = new FrameBufferPool();
  #touched: Topic[] = [];
  /** The last change heard of in each partition: after a worker's death it is said again. */
  readonly #sequences: Float64Array = new Float64Array(PARTITIONS);
  /** The change that is being said has been heard before. */
  readonly #isResaid: Uint8Array = new Uint8Array(PARTITIONS);

  constructor(options: {
    topics: TopicRegister;
    conflation: Conflation;
    clock: HybridLogicalClock;
    /** Results go out before the events of their changes. */
    beforePublish: () => void;
    publish: (topic: number, bytes: Uint8Array) => void;
    /** So many bytes have gone to each session of some feed. */
    onPublished: (bytes: number) => void;
  }) {
    this.#topics = options.topics;
    this.#conflation = options.conflation;
    this.#clock = options.clock;
    this.#beforePublish = options.beforePublish;
    this.#publish = options.publish;
    this.#onPublished = options.onPublished;
  }

  /** Takes the EVENT record at `at`; a change that a worker says again after a death is dropped. */
  onEvent(words: Int32Array, wordBytes: Uint8Array, at: number): void {
    const partition = words[at + EventMessage.PARTITION];
    if (words[at + EventMessage.FIRST] !== 0) this.#beginChange(partition, words, at);
    if (this.#isResaid[partition] !== 0) return;
    const length = words[at + EventMessage.BYTES];
    const count = words[at + EventMessage.TOPIC_COUNT];
    const offset = (at + EventMessage.TOPICS + count) * 4;
    for (let i = 0; i < count; i++)
      this.#append(words[at + EventMessage.TOPICS + i], wordBytes, offset, length);
  }

  /** Publishes what was taken since the last call, one frame a topic where it fits. */
  flush(): void {
    const touched = this.#touched;
    this.#touched = [];
    for (const topic of touched) this.publishTopic(topic);
  }

  /** Publishes what was taken for one topic. */
  publishTopic(topic: Topic): void {
    const buffer = topic.events;
    if (buffer === undefined) return;
    topic.events = undefined;
    this.publishFrame(topic.feed, buffer);
    this.#pool.give(buffer);
  }

  /** Publishes the entries of Events in `buffer`. */
  publishFrame(feed: Feed, buffer: FrameBuffer): void {
    this.#beforePublish();
    const { ms, counter } = this.#clock;
    const { bytes, end } = buffer;
    const start = writeEventsHead(bytes, buffer.start, end, feed.id, ms, counter);
    this.#publish(feed.id, bytes.subarray(start, end));
    this.#onPublished(end - start);
  }

  /** The records of one change are contiguous, and those of a partition come from one worker. */
  #beginChange(partition: number, words: Int32Array, at: number): void {
    const sequence = RecordLayout.joinWords(
      words[at + EventMessage.SEQUENCE_LOW],
      words[at + EventMessage.SEQUENCE_HIGH],
    );
    const isResaid = sequence <= this.#sequences[partition];
    this.#isResaid[partition] = isResaid ? 1 : 0;
    if (!isResaid) this.#sequences[partition] = sequence;
  }

  #append(topicId: number, bytes: Uint8Array, offset: number, length: number): void {
    const topic = this.#topics.get(topicId);
    if (topic === undefined) return; // retired while the event was on its way
    if (topic.conflated.size > 0) this.#conflation.hold(topic, bytes, offset, length);
    if (!topic.feed.isHeard) return;
    if (topic.events?.hasRoom(length) === false) this.publishTopic(topic);
    if (topic.events === undefined) {
      if (this.#pool.isExhausted) this.flush();
      topic.events = this.#pool.take();
      this.#touched.push(topic);
    }
    topic.events.append(bytes, offset, length);
  }
}
