import {
  Code,
  PREDICATE_BYTES_TOTAL_MAX,
  PREDICATES_A_MAP_MAX,
  PREDICATES_UNINDEXED_A_MAP_MAX,
  TOPICS_MAX,
} from '@tidewire/core';
import { MAPS_FULL, MAPS_LENT, type MapTable, NO_MAP } from '@tidewire/core/threads';
import {
  type ControlRecord,
  introducedRecord,
  introduceRecord,
  introduceRuleRecord,
  subscribeRecord,
  unsubscribeRecord,
} from './control-records.js';
import { type Interest, interestIn, interestName, type Wish } from './interest.js';
import type { KnownTopic } from './known-topic.js';
import type { WorkerRequests } from './worker-requests.js';

/** Numbers travel as words. */
const ID_MAX = 0x7fff_ffff;

/** Topics of one map, those with a predicate, and of these the ones that no index serves. */
interface MapCounts {
  topics: number;
  predicates: number;
  linear: number;
}

/** Why there can be no such topic. */
export class TopicFault {
  readonly code: Code;
  readonly detail: string;

  constructor(code: Code, detail: string) {
    this.code = code;
    this.detail = detail;
  }
}

/** A rule on records as workers know it. */
export interface KnownRule {
  /** Above 0, never used twice. */
  readonly id: number;
  /** Predicate message in canonical form. */
  readonly predicate: Uint8Array;
}

/** A worker's start that has not been told every interest yet. */
interface Introduction {
  readonly worker: number;
  readonly start: number;
  readonly records: Iterator<ControlRecord, undefined>;
  next: ControlRecord | undefined;
}

/**
 * The register of interests: one topic for each map, key or predicate that somebody watches. Workers
 * know only what they are told from here, and one that is started anew is told all of it again, and
 * all rules.
 */
export class TopicRegister<T extends KnownTopic> {
  readonly #mapTable: MapTable;
  readonly #requests: WorkerRequests;
  readonly #rules: () => Iterable<KnownRule>;
  readonly #ownersOf: (interest: Interest) => readonly number[];
  readonly #makeTopic: (id: number, interest: Interest, workers: readonly number[]) => T;
  readonly #topics: Map<number, T> = new Map();
  readonly #topicsByName: Map<string, T> = new Map();
  readonly #counts: Map<number, MapCounts> = new Map(); // by map
  #introductions: Introduction[] = [];
  #predicateBytes = 0;
  #lastId = 0;

  constructor(options: {
    mapTable: MapTable;
    requests: WorkerRequests;
    /** Those that operations may name; none if it is left out. */
    rules?: () => Iterable<KnownRule>;
    ownersOf: (interest: Interest) => readonly number[];
    makeTopic: (id: number, interest: Interest, workers: readonly number[]) => T;
  }) {
    this.#mapTable = options.mapTable;
    this.#requests = options.requests;
    this.#rules = options.rules ?? (() => []);
    this.#ownersOf = options.ownersOf;
    this.#makeTopic = options.makeTopic;
  }

  get count(): number {
    return this.#topics.size;
  }

  values(): IterableIterator<T> {
    return this.#topics.values();
  }

  get(id: number): T | undefined {
    return this.#topics.get(id);
  }

  /** Nobody has written the map: watching it takes an id that is only lent. */
  isUnwritten(map: Uint8Array): boolean {
    return this.#mapTable.idOf(map, 0, map.length) === NO_MAP;
  }

  /** The topic of this meaning. If there is none it is made, and its workers are told. */
  claim(map: Uint8Array, wish: Wish): T | TopicFault {
    const mapId = this.#mapTable.lend(map, 0, map.length);
    if (mapId === MAPS_FULL) return new TopicFault(Code.TOO_LARGE, 'There are too many maps.');
    if (mapId === MAPS_LENT)
      return new TopicFault(Code.OVERLOADED, 'Too many maps are watched that nobody has written.');
    const interest = interestIn(mapId, wish);
    const known = this.#topicsByName.get(interestName(interest));
    if (known !== undefined) return known;
    const fault = this.#faultOf(interest);
    if (fault === undefined) return this.#add(interest);
    this.#maybeGiveBack(mapId);
    return new TopicFault(Code.OVERLOADED, fault);
  }

  /** Why a topic of this interest would be one too many, in a sentence. */
  #faultOf({ mapId, predicate, isLinear }: Interest): string | undefined {
    if (this.#requests.isFull) return 'The workers have much to do.';
    if (this.#topics.size >= TOPICS_MAX) return 'There are as many topics as there may be.';
    if (predicate.length === 0) return undefined;
    const { predicates, linear } = this.#countsOf(mapId);
    if (predicates >= PREDICATES_A_MAP_MAX) return 'The map has as many predicates as it may have.';
    if (isLinear && linear >= PREDICATES_UNINDEXED_A_MAP_MAX)
      return 'The map has as many predicates that no index serves as it may have.';
    if (this.#predicateBytes + predicate.length > PREDICATE_BYTES_TOTAL_MAX)
      return 'There is no room for more predicates.';
    return undefined;
  }

  /** A number for a topic, or a feed that no worker knows: positive in 32 bits, not in use. */
  nextId(): number {
    do this.#lastId = this.#lastId === ID_MAX ? 1 : this.#lastId + 1;
    while (this.#topics.has(this.#lastId));
    return this.#lastId;
  }

  #add(interest: Interest): T {
    const topic = this.#makeTopic(this.nextId(), interest, this.#ownersOf(interest));
    this.#topics.set(topic.id, topic);
    this.#topicsByName.set(topic.name, topic);
    this.#count(interest, 1);
    for (const worker of topic.workers)
      this.#requests.send(worker, subscribeRecord(topic.id, interest));
    return topic;
  }

  /** Nobody watches it any more. */
  retire(topic: T): void {
    this.#topics.delete(topic.id);
    this.#topicsByName.delete(topic.name);
    this.#count(topic, -1);
    for (const worker of topic.workers) this.#requests.send(worker, unsubscribeRecord(topic.id));
    this.#maybeGiveBack(topic.mapId);
  }

  /** A worker's marker has come. Returns the topic if this has made it live. */
  onSubscribed(worker: number, topicId: number): T | undefined {
    const topic = this.#topics.get(topicId); // undefined: retired before it was live
    return topic?.onSubscribed(worker) ? topic : undefined;
  }

  /** A worker has been started for the `start`-th time: it is told every interest there is. */
  onWorkerStart(worker: number, start: number): void {
    this.#introductions = this.#introductions.filter((other) => other.worker !== worker);
    const records = this.#introductionOf(worker);
    this.#introductions.push({ worker, start, records, next: records.next().value });
  }

  /** Tells workers that start, as far as their rings have room. Returns how much. */
  introduce(): number {
    let told = 0;
    this.#introductions = this.#introductions.filter((introduction) => {
      const { worker, start, records } = introduction;
      for (; introduction.next !== undefined; introduction.next = records.next().value, told++)
        if (!this.#requests.trySend(worker, introduction.next)) return true;
      if (!this.#requests.trySend(worker, introducedRecord(start))) return true;
      told++;
      return false;
    });
    return told;
  }

  /** What is added while it is under way may come too; what is not has been told past it. */
  *#introductionOf(worker: number): Generator<ControlRecord, undefined> {
    for (const { id, predicate } of this.#rules()) yield introduceRuleRecord(id, predicate);
    for (const topic of this.#topics.values())
      if (topic.workers.includes(worker)) yield introduceRecord(topic.id, topic);
    return undefined;
  }

  #maybeGiveBack(mapId: number): void {
    if (!this.#counts.has(mapId)) this.#mapTable.giveBack(mapId);
  }

  #countsOf(mapId: number): MapCounts {
    return this.#counts.get(mapId) ?? { topics: 0, predicates: 0, linear: 0 };
  }

  #count({ mapId, predicate, isLinear }: Interest, change: 1 | -1): void {
    const counts = this.#countsOf(mapId);
    counts.topics += change;
    if (predicate.length > 0) counts.predicates += change;
    if (isLinear) counts.linear += change;
    this.#predicateBytes += change * predicate.length;
    if (counts.topics > 0) this.#counts.set(mapId, counts);
    else this.#counts.delete(mapId);
  }
}
