import { PREDICATE_BYTES_TOTAL_MAX, TOPICS_MAX } from '@tidewire/core';
import {
  introducedRecord,
  introduceRecord,
  subscribeRecord,
  unsubscribeRecord,
} from './control-records.js';
import { type Interest, interestName } from './interest.js';
import type { KnownTopic } from './known-topic.js';
import type { WorkerRequests } from './worker-requests.js';

/** Numbers travel as words. */
const ID_MAX = 0x7fff_ffff;

/** A worker's start that has not been told every interest yet. */
interface Introduction<T> {
  readonly worker: number;
  readonly start: number;
  readonly topics: Iterator<T>;
  next: T | undefined;
}

/**
 * The register of interests: one topic for each map, key or predicate that somebody watches. Workers
 * know only what they are told from here, and one that is started anew is told all of it again.
 */
export class TopicRegister<T extends KnownTopic> {
  readonly #requests: WorkerRequests;
  readonly #ownersOf: (interest: Interest) => readonly number[];
  readonly #makeTopic: (id: number, interest: Interest, workers: readonly number[]) => T;
  readonly #topics: Map<number, T> = new Map();
  readonly #topicsByName: Map<string, T> = new Map();
  /** Topics with a predicate, by map. */
  readonly #predicates: Map<number, number> = new Map();
  #introductions: Introduction<T>[] = [];
  #predicateBytes = 0;
  #lastId = 0;

  constructor(options: {
    requests: WorkerRequests;
    ownersOf: (interest: Interest) => readonly number[];
    makeTopic: (id: number, interest: Interest, workers: readonly number[]) => T;
  }) {
    this.#requests = options.requests;
    this.#ownersOf = options.ownersOf;
    this.#makeTopic = options.makeTopic;
  }

  get count(): number {
    return this.#topics.size;
  }

  get isFull(): boolean {
    return this.#topics.size >= TOPICS_MAX;
  }

  get(id: number): T | undefined {
    return this.#topics.get(id);
  }

  find(interest: Interest): T | undefined {
    return this.#topicsByName.get(interestName(interest));
  }

  /** Predicates of different meaning on one map. */
  predicatesOf(mapId: number): number {
    return this.#predicates.get(mapId) ?? 0;
  }

  /** Whether one more predicate of so many bytes finds room beside all others. */
  hasRoomFor(predicateBytes: number): boolean {
    return this.#predicateBytes + predicateBytes <= PREDICATE_BYTES_TOTAL_MAX;
  }

  /** A number for a topic, or a feed that no worker knows: positive in 32 bits, not in use. */
  nextId(): number {
    do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    while (this.#topics.has(this.#lastId));
    return this.#lastId;
  }

  /** REQUIRES: `find` knows none. Its workers are told. */
  add(interest: Interest): T {
    const topic = this.#makeTopic(this.nextId(), interest, this.#ownersOf(interest));
    this.#topics.set(topic.id, topic);
    this.#topicsByName.set(interestName(interest), topic);
    this.#countPredicate(interest, 1);
    for (const worker of topic.workers)
      this.#requests.send(worker, subscribeRecord(topic.id, interest));
    return topic;
  }

  /** Nobody watches it any more. */
  retire(topic: T): void {
    this.#topics.delete(topic.id);
    this.#topicsByName.delete(interestName(topic.interest));
    this.#countPredicate(topic.interest, -1);
    for (const worker of topic.workers) this.#requests.send(worker, unsubscribeRecord(topic.id));
  }

  /** A worker's marker has come. Returns the topic if this has made it live. */
  onSubscribed(worker: number, topicId: number): T | undefined {
    const topic = this.#topics.get(topicId); // undefined: retired before it was live
    return topic?.awaited.delete(worker) && topic.isLive ? topic : undefined;
  }

  /** A worker has been started for the `start`-th time: it is told every interest there is. */
  onWorkerStart(worker: number, start: number): void {
    this.#introductions = this.#introductions.filter((other) => other.worker !== worker);
    const topics = this.#topics.values();
    this.#introductions.push({ worker, start, topics, next: topics.next().value });
  }

  /** Tells workers that start, as far as their rings have room. Returns how much. */
  introduce(): number {
    let told = 0;
    this.#introductions = this.#introductions.filter((introduction) => {
      const { worker, start, topics } = introduction;
      for (; introduction.next !== undefined; introduction.next = topics.next().value, told++) {
        const { id, interest, workers } = introduction.next;
        if (!workers.includes(worker)) continue;
        if (!this.#requests.trySend(worker, introduceRecord(id, interest))) return true;
      }
      if (!this.#requests.trySend(worker, introducedRecord(start))) return true;
      told++;
      return false;
    });
    return told;
  }

  #countPredicate({ mapId, predicate }: Interest, change: number): void {
    if (predicate.length === 0) return;
    this.#predicateBytes += change * predicate.length;
    const count = this.predicatesOf(mapId) + change;
    if (count === 0) this.#predicates.delete(mapId);
    else this.#predicates.set(mapId, count);
  }
}
