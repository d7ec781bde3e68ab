import {
  assert,
  CONTROL_BACKLOG_MAX,
  Code,
  type HybridLogicalClock,
  PARTITIONS,
  SUBSCRIPTIONS_MAX,
  TOPICS_MAX,
} from '@tidewire/core';
import { EventMessage, RecordLayout, writeEventsHead } from '@tidewire/core/threads';
import { type FrameBuffer, FrameBufferPool } from './frame-buffer.js';
import { type Interest, interestName } from './interest.js';
import type { PartitionService } from './partition-service.js';
import type { Session } from './session.js';

/** A subscription that waits for the markers of its workers. */
interface Joining {
  readonly session: Session;
  readonly subscriptionId: number;
  readonly answeredBy: Set<number>;
  /** Ended before it was live; it keeps its place, so that markers are matched in order. */
  isEnded: boolean;
}

interface Topic {
  readonly id: number;
  readonly interest: Interest;
  readonly workers: readonly number[];
  /** Subscriptions a session has on this topic; a session is joined while it has any. */
  readonly members: Map<Session, number>;
  readonly joining: Joining[];
  events: FrameBuffer | undefined;
}

/** What a worker has still to be told. */
interface Unsent {
  readonly worker: number;
  readonly topic: Topic;
  readonly isSubscribe: boolean;
}

/** A worker's start that has not been told every interest yet. */
interface Introduction {
  readonly worker: number;
  readonly start: number;
  readonly topics: Iterator<Topic>;
  next: Topic | undefined;
}

/**
 * Broadcasts changes to subscribers, and is the register of interests: one topic for each map or key
 * that somebody watches. A change is encoded once by its worker and published once a topic.
 */
export class EventBus {
  readonly #partitions: PartitionService;
  readonly #clock: HybridLogicalClock;
  readonly #beforePublish: () => void;
  readonly #publish: (topic: number, bytes: Uint8Array) => void;
  readonly #onLive: (session: Session, subscriptionId: number, topic: number) => void;
  readonly #topics: Map<number, Topic> = new Map();
  readonly #topicsByName: Map<string, Topic> = new Map();
  readonly #pool: FrameBufferPool = new FrameBufferPool();
  readonly #touched: Topic[] = [];
  /** Owed to workers, in order; sent as their rings have room. */
  #unsent: Unsent[] = [];
  #introductions: Introduction[] = [];
  #lastTopic = 0;
  /** The last event seen of each partition: after a worker's death it is said again. */
  readonly #sequences: Float64Array = new Float64Array(PARTITIONS);
  readonly #sequenceTopics: Int32Array = new Int32Array(PARTITIONS);

  constructor(options: {
    partitions: PartitionService;
    clock: HybridLogicalClock;
    /** Results go out before the events of their changes. */
    beforePublish: () => void;
    publish: (topic: number, bytes: Uint8Array) => void;
    onLive: (session: Session, subscriptionId: number, topic: number) => void;
  }) {
    this.#partitions = options.partitions;
    this.#clock = options.clock;
    this.#beforePublish = options.beforePublish;
    this.#publish = options.publish;
    this.#onLive = options.onLive;
  }

  get topicCount(): number {
    return this.#topics.size;
  }

  /** Begins a subscription; `onLive` follows. Returns 0, or why it is refused. */
  subscribe(session: Session, subscriptionId: number, interest: Interest): Code {
    if (session.subscriptions.has(subscriptionId)) return Code.INVALID;
    if (session.subscriptions.size >= SUBSCRIPTIONS_MAX) return Code.TOO_LARGE;
    if (this.#unsent.length >= CONTROL_BACKLOG_MAX || this.#topics.size >= TOPICS_MAX)
      return Code.OVERLOADED;
    const topic = this.#topicOf(interest);
    session.subscriptions.set(subscriptionId, topic.id);
    const joining = { session, subscriptionId, answeredBy: new Set<number>(), isEnded: false };
    topic.joining.push(joining);
    session.joining.set(subscriptionId, joining);
    for (const worker of topic.workers) this.#unsent.push({ worker, topic, isSubscribe: true });
    return Code.UNSPECIFIED;
  }

  /** Ends a subscription; false if there is none of that id. */
  unsubscribe(session: Session, subscriptionId: number): boolean {
    const topic = this.#topics.get(session.subscriptions.get(subscriptionId) ?? 0);
    if (topic === undefined) return false;
    session.subscriptions.delete(subscriptionId);
    const waiting = session.joining.get(subscriptionId);
    if (waiting === undefined) this.#leave(topic, session);
    else waiting.isEnded = true;
    session.joining.delete(subscriptionId);
    return true;
  }

  /** Ends all subscriptions of a closed session. */
  forget(session: Session): void {
    for (const subscriptionId of [...session.subscriptions.keys()])
      this.unsubscribe(session, subscriptionId);
  }

  /** A worker's marker: what it says of `topicId` from now on is all there is. */
  onSubscribed(worker: number, topicId: number): void {
    const topic = this.#topics.get(topicId);
    assert(topic !== undefined, 'a topic stays while a subscription waits for its markers');
    const joining = topic.joining.find((candidate) => !candidate.answeredBy.has(worker));
    assert(joining !== undefined, 'a marker answers a subscription');
    joining.answeredBy.add(worker);
    if (joining.answeredBy.size < topic.workers.length) return;
    // What was before the marker is not for the newcomer. Sending may close sessions, this one too,
    // so its entry stays until that has happened.
    this.#send(topic);
    topic.joining.splice(topic.joining.indexOf(joining), 1);
    if (!joining.isEnded) this.#join(topic, joining);
    this.#maybeRetire(topic);
  }

  /** Takes the EVENT record at `at`; one that a worker says again after a death is dropped. */
  onEvent(words: Int32Array, wordBytes: Uint8Array, at: number): void {
    const partition = words[at + EventMessage.PARTITION];
    const sequence = RecordLayout.joinWords(
      words[at + EventMessage.SEQUENCE_LOW],
      words[at + EventMessage.SEQUENCE_HIGH],
    );
    if (sequence < this.#sequences[partition]) return;
    if (sequence > this.#sequences[partition]) this.#sequenceTopics[partition] = 0;
    this.#sequences[partition] = sequence;
    const length = words[at + EventMessage.BYTES];
    const count = words[at + EventMessage.TOPIC_COUNT];
    const offset = (at + EventMessage.TOPICS + count) * 4;
    for (let i = 0; i < count; i++) {
      const topic = words[at + EventMessage.TOPICS + i];
      if (topic <= this.#sequenceTopics[partition]) continue;
      this.#sequenceTopics[partition] = topic;
      this.#append(topic, wordBytes, offset, length);
    }
  }

  /** Publishes what was taken since the last call, one frame a topic where it fits. */
  flush(): void {
    for (const topic of this.#touched) this.#send(topic);
    this.#touched.length = 0;
  }

  /** Tells workers what they are owed, as far as their rings have room. Returns how much. */
  sendInterests(): number {
    let sent = 0;
    for (; sent < this.#unsent.length; sent++) {
      const { worker, topic, isSubscribe } = this.#unsent[sent];
      const isSent = isSubscribe
        ? this.#partitions.subscribe(worker, topic.id, topic.interest)
        : this.#partitions.unsubscribe(worker, topic.id);
      if (!isSent) break;
    }
    if (sent > 0) this.#unsent = this.#unsent.slice(sent);
    return sent + this.#introduce();
  }

  /** A worker has been started for the `start`-th time: it is told every interest there is. */
  onWorkerStart(worker: number, start: number): void {
    this.#introductions = this.#introductions.filter((other) => other.worker !== worker);
    const topics = this.#topics.values();
    this.#introductions.push({ worker, start, topics, next: topics.next().value });
  }

  #introduce(): number {
    let told = 0;
    this.#introductions = this.#introductions.filter((introduction) => {
      const { worker, start, topics } = introduction;
      for (; introduction.next !== undefined; introduction.next = topics.next().value, told++) {
        const topic = introduction.next;
        if (!topic.workers.includes(worker)) continue;
        if (!this.#partitions.introduce(worker, topic.id, topic.interest)) return true;
      }
      return !this.#partitions.endIntroduction(worker, start);
    });
    return told;
  }

  #topicOf(interest: Interest): Topic {
    const name = interestName(interest);
    const known = this.#topicsByName.get(name);
    if (known !== undefined) return known;
    const topic: Topic = {
      id: ++this.#lastTopic,
      interest,
      workers: this.#partitions.ownersOf(interest),
      members: new Map(),
      joining: [],
      events: undefined,
    };
    this.#topics.set(topic.id, topic);
    this.#topicsByName.set(name, topic);
    return topic;
  }

  #join(topic: Topic, joining: Joining): void {
    const { session, subscriptionId } = joining;
    session.joining.delete(subscriptionId);
    const count = topic.members.get(session) ?? 0;
    topic.members.set(session, count + 1);
    if (count === 0) session.connection.join(topic.id);
    this.#onLive(session, subscriptionId, topic.id);
  }

  #leave(topic: Topic, session: Session): void {
    const count = topic.members.get(session);
    assert(count !== undefined, 'a live subscription is a member of its topic');
    if (count > 1) topic.members.set(session, count - 1);
    else {
      topic.members.delete(session);
      session.connection.leave(topic.id);
    }
    this.#maybeRetire(topic);
  }

  #maybeRetire(topic: Topic): void {
    if (topic.members.size > 0 || topic.joining.length > 0) return;
    if (!this.#topics.delete(topic.id)) return;
    this.#topicsByName.delete(interestName(topic.interest));
    for (const worker of topic.workers) this.#unsent.push({ worker, topic, isSubscribe: false });
  }

  #append(topicId: number, bytes: Uint8Array, offset: number, length: number): void {
    const topic = this.#topics.get(topicId);
    if (topic === undefined) return; // retired while the event was on its way
    if (topic.events?.hasRoom(length) === false) this.#send(topic);
    if (topic.events === undefined) {
      if (this.#pool.isExhausted) this.flush();
      topic.events = this.#pool.take();
      this.#touched.push(topic);
    }
    topic.events.append(bytes, offset, length);
  }

  #send(topic: Topic): void {
    const buffer = topic.events;
    if (buffer === undefined) return;
    topic.events = undefined;
    this.#beforePublish();
    const { ms, counter } = this.#clock;
    const { bytes, end } = buffer;
    const start = writeEventsHead(bytes, buffer.start, end, topic.id, ms, counter);
    this.#publish(topic.id, bytes.subarray(start, end));
    this.#pool.give(buffer);
  }
}
