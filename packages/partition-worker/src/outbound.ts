import { assert, Code, KEY_BYTES_MAX, VALUE_BYTES_MAX } from '@tidewire/core';
import {
  Doorbell,
  EventMessage,
  eventBytes,
  GATEWAY_DOORBELL,
  NO_RECORD,
  NO_ROOM,
  Operation,
  OutboundKind,
  RecordLayout,
  type ResultFields,
  ResultMessage,
  RingProducer,
  resultBytes,
  SubscribedMessage,
  SubscribeRequest,
  type WorkerMemory,
  writeEvent,
  writeResult,
} from '@tidewire/core/threads';
import type { Level } from '@tidewire/schemas';
import { isVisible, returnsWinner } from './execute/operation.js';
import type { SubscriptionIndex } from './query/subscription-index.js';
import { ABSENT, type RecordStore } from './store/record-store.js';

/** A result and an event of the largest record, each with its header and padding before it. */
const ANSWER_WORDS_MAX: number = 4 * RecordLayout.wordsOf(KEY_BYTES_MAX + VALUE_BYTES_MAX + 256);
const NO_LANE = 0;
const WAITS = 1;

/**
 * The worker's end of the outbound ring: results and events, encoded here once, so that the gateway
 * only copies bytes. Nothing is visible before `commit`; `hasRoom` is asked before an operation is
 * executed, so that its answer always fits.
 */
export class Outbound {
  readonly #ring: RingProducer;
  readonly #ringBytes: Uint8Array;
  readonly #doorbell: Doorbell;
  readonly #interests: SubscriptionIndex;
  readonly #words: Int32Array;
  readonly #wordBytes: Uint8Array;
  readonly #result: ResultFields = {
    requestId: 0,
    outcome: 0,
    refusal: 0,
    level: 0,
    partition: 0,
    record: NO_RECORD,
    withValue: false,
  };
  #lanePosition = 0;
  #waits = NO_LANE;

  constructor(options: {
    memory: WorkerMemory;
    doorbells: SharedArrayBuffer;
    interests: SubscriptionIndex;
    store: RecordStore;
  }) {
    this.#ring = new RingProducer(options.memory.outboundRing);
    this.#ringBytes = new Uint8Array(options.memory.outboundRing);
    this.#doorbell = new Doorbell(new Int32Array(options.doorbells), GATEWAY_DOORBELL);
    this.#interests = options.interests;
    this.#words = options.store.words;
    this.#wordBytes = new Uint8Array(options.memory.arena);
  }

  /** True if whatever one operation says fits. */
  hasRoom(): boolean {
    return this.#ring.hasRoom(ANSWER_WORDS_MAX);
  }

  /** The next answer goes out once the SAFE lane is flushed up to `lanePosition`. */
  waitForLane(lanePosition: number): void {
    this.#waits = WAITS;
    this.#lanePosition = lanePosition;
  }

  /** Says what happened to an operation, and of which record that holds (or ABSENT). */
  answer(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    record: number,
    outcome: Code,
    level: Level,
  ): void {
    const result = this.#result;
    result.outcome = outcome;
    result.refusal = 0;
    result.level = level;
    result.partition = partition;
    result.record = record === ABSENT ? NO_RECORD : record;
    result.withValue =
      outcome === Code.FOUND ||
      (outcome === Code.SUPERSEDED &&
        returnsWinner(request, at) &&
        isVisible(request, at, this.#words, record));
    this.#write(request, at, position);
  }

  /** Says why nothing was executed. */
  refuse(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    refusal: Code,
  ): void {
    const result = this.#result;
    result.outcome = 0;
    result.refusal = refusal;
    result.level = 0;
    result.partition = partition;
    result.record = NO_RECORD;
    result.withValue = false;
    this.#write(request, at, position);
  }

  /** Tells the topics that the change which made `record` concerns; nothing if there are none. */
  event(partition: number, record: number): void {
    const count = this.#interests.lookUp(this.#words, record);
    if (count === 0) return;
    const bytes = eventBytes(this.#words, record);
    const topics = EventMessage.TOPICS;
    const body = this.#claim(OutboundKind.EVENT, topics + count + RecordLayout.wordsOf(bytes));
    const { words } = this.#ring;
    words[body + EventMessage.PARTITION] = partition;
    words[body + EventMessage.SEQUENCE_LOW] = this.#words[record + RecordLayout.SEQUENCE_LOW];
    words[body + EventMessage.SEQUENCE_HIGH] =
      this.#words[record + RecordLayout.MS_HIGH_SEQUENCE_HIGH] & 0xffff;
    words[body + EventMessage.BYTES] = bytes;
    words[body + EventMessage.FIRST] = 1;
    words[body + EventMessage.TOPIC_COUNT] = count;
    for (let i = 0; i < count; i++) words[body + topics + i] = this.#interests.topics[i];
    const offset = (body + topics + count) * 4;
    writeEvent(this.#ringBytes, offset, this.#words, this.#wordBytes, record);
  }

  /** Answers a SUBSCRIBE record: from here on every change of the topic is in the ring. */
  subscribed(request: Int32Array, at: number, position: number): void {
    const body = this.#claim(OutboundKind.SUBSCRIBED, SubscribedMessage.WORDS);
    this.#ring.words[body + SubscribedMessage.REQUEST_POSITION] = position;
    this.#ring.words[body + SubscribedMessage.TOPIC] = request[at + SubscribeRequest.TOPIC];
  }

  /** Makes everything said visible. */
  commit(): void {
    this.#ring.commit();
  }

  /** Wakes the gateway, once a turn. */
  ring(): void {
    this.#doorbell.ring();
  }

  #write(request: Int32Array, at: number, position: number): void {
    const result = this.#result;
    result.requestId = request[at + Operation.REQUEST_ID];
    const bytes = resultBytes(result, this.#words);
    const body = this.#claim(OutboundKind.RESULT, ResultMessage.BODY + RecordLayout.wordsOf(bytes));
    const { words } = this.#ring;
    words[body + ResultMessage.REQUEST_POSITION] = position;
    words[body + ResultMessage.SESSION] = request[at + Operation.SESSION];
    words[body + ResultMessage.WAITS] = this.#waits;
    words[body + ResultMessage.LANE_POSITION] = this.#lanePosition;
    words[body + ResultMessage.BYTES] = bytes;
    const offset = (body + ResultMessage.BODY) * 4;
    writeResult(this.#ringBytes, offset, result, this.#words, this.#wordBytes);
    this.#waits = NO_LANE;
  }

  #claim(kind: number, words: number): number {
    const body = this.#ring.claim(kind, words);
    assert(body !== NO_ROOM, 'hasRoom is asked before anything is said');
    return body;
  }
}
