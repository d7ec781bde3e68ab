import { partitionOf } from '@tidewire/core';
import {
  type EventFields,
  EventMessage,
  eventBytes,
  NO_RECORD,
  OutboundKind,
  RecordLayout,
  writeEvent,
} from '@tidewire/core/threads';
import { EventKind } from '@tidewire/schemas';
import type { Outbound } from './outbound.js';
import { StoredRecord } from './query/stored-record.js';
import type { MapPredicates, SubscriptionIndex } from './query/subscription-index.js';
import { TopicList } from './query/topic-list.js';
import { ABSENT } from './store/record-store.js';

/**
 * Tells changes to the topics they concern: PUT or REMOVE to the map and the key; ENTER, UPDATE or
 * LEAVE to predicates, by whether they held before and hold after. An event is encoded once for all
 * topics that get the same. Said again after a death, a change makes the same events.
 */
export class ChangeEvents {
  readonly #outbound: Outbound;
  readonly #interests: SubscriptionIndex;
  readonly #words: Int32Array;
  readonly #wordBytes: Uint8Array;
  readonly #before: StoredRecord;
  readonly #after: StoredRecord;
  readonly #event: EventFields = { kind: EventKind.PUT, record: ABSENT, old: NO_RECORD };
  readonly #withOld: TopicList = new TopicList();
  readonly #withoutOld: TopicList = new TopicList();
  #isFirst = true;

  constructor(options: { outbound: Outbound; interests: SubscriptionIndex; words: Int32Array }) {
    this.#outbound = options.outbound;
    this.#interests = options.interests;
    this.#words = options.words;
    this.#wordBytes = new Uint8Array(options.words.buffer);
    this.#before = new StoredRecord(options.words);
    this.#after = new StoredRecord(options.words);
  }

  /**
   * Tells the change by which `record` has replaced `old`, or ABSENT. `isStanding`: it has a value to
   * show at the time of the change.
   */
  tell(record: number, old: number, isStanding: boolean): void {
    this.#isFirst = true;
    this.#event.record = record;
    this.#event.old = NO_RECORD;
    const count = this.#interests.lookUp(this.#words, record);
    if (count > 0) {
      const isRemove = RecordLayout.isTombstone(this.#words, record);
      this.#event.kind = isRemove ? EventKind.REMOVE : EventKind.PUT;
      this.#write(this.#interests.topics, count);
    }
    const predicates = this.#interests.predicatesOf(RecordLayout.mapIdOf(this.#words, record));
    if (predicates !== undefined) this.#tellPredicates(predicates, record, old, isStanding);
  }

  /**
   * A record before that has expired counts as one that stood: its subscribers have not been told
   * otherwise.
   */
  #tellPredicates(
    { index, withOld }: MapPredicates,
    record: number,
    old: number,
    isStanding: boolean,
  ): void {
    const isBefore = old !== ABSENT && !RecordLayout.isTombstone(this.#words, old);
    const concerned = index.match(
      isBefore ? this.#before.turnTo(old) : undefined,
      isStanding ? this.#after.turnTo(record) : undefined,
    );
    if (concerned === 0) return;
    this.#event.kind = EventKind.ENTER;
    this.#write(index.entered.topics, index.entered.count);
    this.#event.kind = EventKind.UPDATE;
    this.#writeWithOld(index.updated, withOld, old);
    this.#event.kind = EventKind.LEAVE;
    this.#writeWithOld(index.left, withOld, old);
  }

  /** Writes the event once without the value before and once with it, for those who asked for it. */
  #writeWithOld({ topics, count }: TopicList, withOld: ReadonlySet<number>, old: number): void {
    this.#withOld.clear();
    this.#withoutOld.clear();
    for (let i = 0; i < count; i++)
      (withOld.has(topics[i]) ? this.#withOld : this.#withoutOld).add(topics[i]);
    this.#write(this.#withoutOld.topics, this.#withoutOld.count);
    this.#event.old = old;
    this.#write(this.#withOld.topics, this.#withOld.count);
    this.#event.old = NO_RECORD;
  }

  /** Writes the event for the first `count` topics, in records that are no longer than they may be. */
  #write(topics: Int32Array, count: number): void {
    if (count === 0) return;
    const bytes = eventBytes(this.#event, this.#words);
    const most = this.#outbound.bodyWordsMax - EventMessage.TOPICS - RecordLayout.wordsOf(bytes);
    for (let from = 0; from < count; from += most)
      this.#writeRecord(topics, from, Math.min(from + most, count), bytes);
  }

  #writeRecord(topics: Int32Array, from: number, end: number, bytes: number): void {
    const { record } = this.#event;
    const start = EventMessage.TOPICS + end - from;
    const body = this.#outbound.claim(OutboundKind.EVENT, start + RecordLayout.wordsOf(bytes));
    const { words, ringBytes } = this.#outbound;
    words[body + EventMessage.PARTITION] = partitionOf(this.#words[record + RecordLayout.HASH]);
    words[body + EventMessage.SEQUENCE_LOW] = this.#words[record + RecordLayout.SEQUENCE_LOW];
    words[body + EventMessage.SEQUENCE_HIGH] =
      this.#words[record + RecordLayout.MS_HIGH_SEQUENCE_HIGH] & 0xffff;
    words[body + EventMessage.BYTES] = bytes;
    words[body + EventMessage.FIRST] = this.#isFirst ? 1 : 0;
    words[body + EventMessage.TOPIC_COUNT] = end - from;
    for (let i = from; i < end; i++) words[body + EventMessage.TOPICS + i - from] = topics[i];
    const offset = (body + start) * 4;
    writeEvent(ringBytes, offset, this.#event, this.#words, this.#wordBytes);
    this.#isFirst = false;
  }
}
