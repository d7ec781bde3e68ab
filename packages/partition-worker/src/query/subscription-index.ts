import { MAPS_MAX } from '@tidewire/core';
import {
  RecordLayout,
  SubscribeRequest,
  storeWatermark,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import { KeyTopics, NO_TOPIC } from './key-topics.js';
import { noPredicates, type PredicateCounts, PredicateIndex } from './predicate-index.js';
import { type PredicateTopic, readTopic, type Topic } from './topic.js';

const COUNTERS = {
  map: WorkerControl.TOPICS_MAP,
  key: WorkerControl.TOPICS_KEY,
  predicate: WorkerControl.TOPICS_PREDICATE,
} as const;

/** The predicates on one map. */
export interface MapPredicates {
  readonly index: PredicateIndex;
  /** Topics whose events carry the value before. */
  readonly withOld: Set<number>;
}

/**
 * Which topics a change concerns. Owned by one worker, derived: the gateway is the register of
 * interests and tells a new worker all of them.
 */
export class SubscriptionIndex {
  /** Topics of the change last looked up, ascending; `count` of them count. */
  readonly topics: Int32Array = new Int32Array(2);
  count = 0;
  /** The most predicates that there are on one map. */
  predicatesMax = 0;
  readonly #control: Int32Array;
  readonly #onTry: () => void;
  readonly #counts: PredicateCounts = noPredicates(); // of all maps
  /** Those of keys are elsewhere. */
  readonly #topics: Map<number, Topic> = new Map();
  readonly #mapTopics: Int32Array = new Int32Array(MAPS_MAX);
  readonly #keysOfMap: Int32Array = new Int32Array(MAPS_MAX);
  readonly #predicatesOfMap: Int32Array = new Int32Array(MAPS_MAX);
  /** How many maps have so many predicates. */
  readonly #mapsWith: Map<number, number> = new Map();
  readonly #predicates: Map<number, MapPredicates> = new Map(); // by map
  readonly #keyTopics: KeyTopics = new KeyTopics();

  /** `onTry`: see PredicateIndex. */
  constructor(control: Int32Array, onTry: () => void = () => {}) {
    this.#control = control;
    this.#onTry = onTry;
    for (const counter of Object.values(COUNTERS)) storeWord(control, counter, 0);
    this.report();
  }

  /** Publishes what predicates cost; once a turn. */
  report(): void {
    const { linear, found, concerned } = this.#counts;
    storeWord(this.#control, WorkerControl.PREDICATES_LINEAR, linear);
    storeWatermark(this.#control, WorkerControl.PREDICATES_FOUND, found);
    storeWatermark(this.#control, WorkerControl.PREDICATES_CONCERNED, concerned);
  }

  /** The topic of this number, if it has been told. */
  get(topic: number): Topic | undefined {
    return this.#topics.get(topic) ?? this.#keyTopics.get(topic);
  }

  /** Takes the interest of a SUBSCRIBE record; saying it again changes nothing. */
  add(words: Int32Array, at: number): void {
    if (this.get(words[at + SubscribeRequest.TOPIC]) !== undefined) return;
    const topic = readTopic(words, at);
    if (topic.kind !== 'key') this.#topics.set(topic.id, topic);
    this.#count(topic, 1);
    if (topic.kind === 'map') this.#mapTopics[topic.mapId] = topic.id;
    else if (topic.kind === 'key') {
      this.#keyTopics.add(topic);
      this.#keysOfMap[topic.mapId]++;
    } else this.#addPredicate(topic);
  }

  remove(id: number): void {
    const topic = this.get(id);
    if (topic === undefined) return;
    this.#topics.delete(id);
    this.#count(topic, -1);
    if (topic.kind === 'key') {
      this.#keyTopics.remove(id);
      this.#keysOfMap[topic.mapId]--;
    } else if (topic.kind === 'predicate') this.#removePredicate(topic);
    else if (this.#mapTopics[topic.mapId] === id) this.#mapTopics[topic.mapId] = NO_TOPIC;
  }

  /** Finds the map and key topics that `record` concerns, left in `topics` and `count`. */
  lookUp(words: Int32Array, record: number): number {
    const mapId = RecordLayout.mapIdOf(words, record);
    this.count = 0;
    const mapTopic = this.#mapTopics[mapId];
    if (mapTopic !== NO_TOPIC) this.topics[this.count++] = mapTopic;
    if (this.#keysOfMap[mapId] !== 0) this.#lookUpKey(words, record, mapId);
    return this.count;
  }

  #lookUpKey(words: Int32Array, record: number, mapId: number): void {
    const topic = this.#keyTopics.find(words, record, mapId);
    if (topic !== NO_TOPIC) this.#insert(topic);
  }

  /** At most one map topic and one key topic; the smaller first. */
  #insert(topic: number): void {
    if (this.count === 1 && this.topics[0] > topic) {
      this.topics[1] = this.topics[0];
      this.topics[0] = topic;
    } else this.topics[this.count] = topic;
    this.count++;
  }

  /** Predicates on the map, or undefined: of most maps, at the price of one look. */
  predicatesOf(mapId: number): MapPredicates | undefined {
    return this.#predicatesOfMap[mapId] === 0 ? undefined : this.#predicates.get(mapId);
  }

  #addPredicate(topic: PredicateTopic): void {
    const { id, mapId, predicate, isWithOld } = topic;
    const predicates = this.#predicates.get(mapId) ?? {
      index: new PredicateIndex(this.#onTry, this.#counts),
      withOld: new Set(),
    };
    this.#predicates.set(mapId, predicates);
    predicates.index.add(id, predicate);
    if (isWithOld) predicates.withOld.add(id);
    this.#countPredicates(mapId, 1);
  }

  #removePredicate({ id, mapId }: PredicateTopic): void {
    const predicates = this.#predicates.get(mapId);
    predicates?.index.remove(id);
    predicates?.withOld.delete(id);
    this.#countPredicates(mapId, -1);
    if (this.#predicatesOfMap[mapId] === 0) this.#predicates.delete(mapId);
  }

  /** The fullest map that loses one leaves the most as it was, if another has as many, or one less. */
  #countPredicates(mapId: number, change: 1 | -1): void {
    const before = this.#predicatesOfMap[mapId];
    const after = before + change;
    this.#predicatesOfMap[mapId] = after;
    this.#mapsWith.set(after, (this.#mapsWith.get(after) ?? 0) + 1);
    const others = (this.#mapsWith.get(before) ?? 1) - 1;
    if (others === 0) this.#mapsWith.delete(before);
    else this.#mapsWith.set(before, others);
    if (after > this.predicatesMax || (before === this.predicatesMax && others === 0))
      this.predicatesMax = after;
  }

  #count({ kind }: Topic, change: number): void {
    const counter = COUNTERS[kind];
    storeWord(this.#control, counter, this.#control[counter] + change);
  }
}
