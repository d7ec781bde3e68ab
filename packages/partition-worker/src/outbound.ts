import { assert, Code, KEY_BYTES_MAX, VALUE_BYTES_MAX } from '@tidewire/core';
import {
  copyWords,
  Doorbell,
  emptyResult,
  GATEWAY_DOORBELL,
  HEADER_WORDS,
  NO_RECORD,
  NO_ROOM,
  Operation,
  OutboundKind,
  ProgressMessage,
  RESULT_FORBIDDEN,
  RESULT_WAITS,
  RecordLayout,
  type ResultFields,
  ResultMessage,
  RingProducer,
  resultBytes,
  SubscribedMessage,
  SubscribeRequest,
  type WorkerMemory,
  writeResult,
} from '@tidewire/core/threads';
import { type Level, OperationKind } from '@tidewire/schemas';
import {
  isRuled,
  isUpdate,
  isVisible,
  operationKindOf,
  returnsWinner,
} from './execute/operation.js';
import type { RowRules } from './execute/row-rules.js';
import type { Shortage } from './execute/shortage.js';
import type { SubscriptionIndex } from './query/subscription-index.js';
import { ABSENT, type RecordStore } from './store/record-store.js';

/** A result and an event of the largest record, each with its header and padding before it. */
const ANSWER_WORDS_MAX: number = 4 * RecordLayout.wordsOf(KEY_BYTES_MAX + VALUE_BYTES_MAX + 256);
/** What a stream says in one turn: SLICE_BYTES, or one row that is larger with its sort key. */
const SLICE_WORDS_MAX: number =
  2 * RecordLayout.wordsOf(KEY_BYTES_MAX + 2 * VALUE_BYTES_MAX + 4096);
/** One event of a predicate with the value before, beside its topics. */
const MATCH_WORDS_MAX: number = RecordLayout.wordsOf(KEY_BYTES_MAX + 2 * VALUE_BYTES_MAX + 512);
/** ENTER; UPDATE and LEAVE, each with and without the value before. */
const MATCH_KINDS = 5;
const NO_LANE = 0;
const NO_BYTES: Uint8Array = new Uint8Array(0);
const encoder = new TextEncoder();
const WRITE_FORBIDDEN: Uint8Array = forbidden('write');
const EXECUTE_FORBIDDEN: Uint8Array = forbidden('execute');

/**
 * The worker's end of the outbound ring: whatever it says is encoded once, by the worker, so that the
 * gateway only copies bytes. Nothing is visible before `commit`; `hasRoom` is asked before an
 * operation is executed, so that its answer always fits.
 */
export class Outbound {
  /** The ring's buffer, for records that were claimed. */
  readonly words: Int32Array;
  readonly ringBytes: Uint8Array;
  readonly #ring: RingProducer;
  readonly #doorbell: Doorbell;
  readonly #interests: SubscriptionIndex;
  readonly #rules: RowRules;
  readonly #records: Int32Array;
  readonly #recordBytes: Uint8Array;
  readonly #result: ResultFields = emptyResult();
  #lanePosition = 0;
  #waits = NO_LANE;
  /** Said since the gateway was woken, and nobody else will wake it; at first what another worker has said. */
  #hasNews = true;

  constructor(options: {
    memory: WorkerMemory;
    doorbells: SharedArrayBuffer;
    interests: SubscriptionIndex;
    rules: RowRules;
    store: RecordStore;
  }) {
    this.#rules = options.rules;
    this.#interests = options.interests;
    this.#ring = new RingProducer(options.memory.outboundRing);
    this.words = this.#ring.words;
    this.ringBytes = new Uint8Array(options.memory.outboundRing);
    this.#doorbell = new Doorbell(new Int32Array(options.doorbells), GATEWAY_DOORBELL);
    this.#records = options.store.words;
    this.#recordBytes = new Uint8Array(options.memory.arena);
  }

  /** True if whatever one operation says fits, whomever it concerns. */
  hasRoom(): boolean {
    return this.#ring.hasRoom(ANSWER_WORDS_MAX + this.#matchWords());
  }

  /** True if the slice of a stream fits, and an operation's answer behind it. */
  hasRoomForSlice(): boolean {
    return this.#ring.hasRoom(ANSWER_WORDS_MAX + this.#matchWords() + SLICE_WORDS_MAX);
  }

  /** Most words of the events of one change to predicates, and of padding before one of them. */
  #matchWords(): number {
    const topics = this.#interests.predicatesMax;
    if (topics === 0) return 0;
    const { recordWordsMax } = this.#ring;
    const records = MATCH_KINDS + Math.floor(topics / (recordWordsMax - MATCH_WORDS_MAX));
    return topics + records * MATCH_WORDS_MAX + recordWordsMax;
  }

  /** The next answer goes out once the SAFE lane is flushed up to `lanePosition`. */
  waitForLane(lanePosition: number): void {
    this.#waits = RESULT_WAITS;
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
      (outcome === Code.APPLIED && isUpdate(request, at)) ||
      (outcome === Code.SUPERSEDED &&
        returnsWinner(request, at) &&
        isVisible(request, at, this.#records, record));
    if (isRuled(request, at)) this.#hide(request, at, record);
    this.#write(request, at, position, this.#records, this.#recordBytes);
  }

  /** Says APPLIED of an update once more, with the image `record` in `words` that it had left, if any. */
  answerWith(
    words: Int32Array,
    record: number,
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    level: Level,
  ): void {
    const result = this.#result;
    result.outcome = Code.APPLIED;
    result.refusal = 0;
    result.level = level;
    result.partition = partition;
    result.record = RecordLayout.sequenceOf(words, record) === 0 ? NO_RECORD : record;
    result.withValue =
      RecordLayout.valueLengthOf(words[record + RecordLayout.LENGTHS]) > 0 &&
      this.#rules.showsAll(request, at); // the image has no key to ask a rule by
    this.#write(request, at, position, words, new Uint8Array(words.buffer));
  }

  /** The next answer says this too. */
  explain(sentence: string): void {
    this.#result.detail = encoder.encode(sentence);
  }

  /** The next answer is a refusal for the lack of this. */
  explainShortage({ detail, retryAfterMs }: Shortage): void {
    this.#result.detail = detail;
    this.#result.retryAfterMs = retryAfterMs;
  }

  /** Says why nothing was executed; of an update with the record, or ABSENT, that stands. */
  refuse(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    refusal: Code,
    record: number = ABSENT,
  ): void {
    const result = this.#result;
    result.outcome = 0;
    result.refusal = refusal;
    result.level = 0;
    result.partition = partition;
    result.record = record === ABSENT ? NO_RECORD : record;
    result.withValue = record !== ABSENT && isVisible(request, at, this.#records, record);
    if (isRuled(request, at)) this.#hide(request, at, record);
    this.#write(request, at, position, this.#records, this.#recordBytes);
  }

  /** Says that a rule forbids it, and shows nothing: the same whatever the record is. */
  forbid(request: Int32Array, at: number, position: number, partition: number): void {
    const isExecute = operationKindOf(request, at) === OperationKind.EXECUTE;
    this.#result.detail = isExecute ? EXECUTE_FORBIDDEN : WRITE_FORBIDDEN;
    this.#waits = RESULT_FORBIDDEN;
    const map = request[at + Operation.MAP_KIND_FLAGS] >>> 16;
    this.#lanePosition = (map << 16) | operationKindOf(request, at);
    this.refuse(request, at, position, partition, Code.FORBIDDEN);
  }

  /** Answers a SUBSCRIBE record: from here on every change of the topic is in the ring. */
  subscribed(request: Int32Array, at: number, position: number): void {
    const body = this.claim(OutboundKind.SUBSCRIBED, SubscribedMessage.WORDS);
    this.words[body + SubscribedMessage.REQUEST_POSITION] = position;
    this.words[body + SubscribedMessage.TOPIC] = request[at + SubscribeRequest.TOPIC];
  }

  /** Says how far partitions have got: `count` entries as PROGRESS has them. */
  progress(entries: Int32Array, count: number): void {
    const length = count * ProgressMessage.ENTRY_WORDS;
    const body = this.claim(OutboundKind.PROGRESS, ProgressMessage.ENTRIES + length);
    this.words[body + ProgressMessage.COUNT] = count;
    copyWords(entries, 0, this.words, body + ProgressMessage.ENTRIES, length);
  }

  /** Words of the longest record's body. */
  get bodyWordsMax(): number {
    return this.#ring.recordWordsMax - HEADER_WORDS;
  }

  /** Reserves a record of the ring; `hasRoom` or `hasRoomForSlice` has been asked. */
  claim(kind: number, words: number): number {
    const body = this.#ring.claim(kind, words);
    assert(body !== NO_ROOM, 'room is asked for before anything is said');
    // Who waits for the database is answered when persistence wakes the gateway.
    this.#hasNews ||= kind !== OutboundKind.RESULT || this.#waits !== RESULT_WAITS;
    return body;
  }

  /** Makes everything said visible. */
  commit(): void {
    this.#ring.commit();
  }

  /**
   * Wakes the gateway, once a turn, if it has something to do. Of results that wait it hears at its own next
   * turn, in a tenth of a second at the latest.
   */
  ring(): void {
    if (!this.#hasNews) return;
    this.#hasNews = false;
    this.#doorbell.ring();
  }

  /** Of a record that the session may not see nothing is shown, but its own write's stamp. */
  #hide(request: Int32Array, at: number, record: number): void {
    const result = this.#result;
    if (this.#rules.shows(request, at, record)) return;
    const isOwn = result.outcome === Code.APPLIED || result.outcome === Code.DUPLICATE;
    if (!isOwn) result.record = NO_RECORD;
    result.withValue = false;
  }

  #write(
    request: Int32Array,
    at: number,
    position: number,
    records: Int32Array,
    recordBytes: Uint8Array,
  ): void {
    const result = this.#result;
    result.requestId = request[at + Operation.REQUEST_ID];
    const bytes = resultBytes(result, records);
    const body = this.claim(OutboundKind.RESULT, ResultMessage.BODY + RecordLayout.wordsOf(bytes));
    const { words } = this;
    words[body + ResultMessage.REQUEST_POSITION] = position;
    words[body + ResultMessage.SESSION] = request[at + Operation.SESSION];
    words[body + ResultMessage.WAITS] = this.#waits;
    words[body + ResultMessage.LANE_POSITION] = this.#lanePosition;
    words[body + ResultMessage.BYTES] = bytes;
    words[body + ResultMessage.OUTCOME] = result.outcome;
    const offset = (body + ResultMessage.BODY) * 4;
    writeResult(this.ringBytes, offset, result, records, recordBytes);
    this.#waits = NO_LANE;
    result.detail = NO_BYTES;
    result.retryAfterMs = 0;
  }
}

function forbidden(right: string): Uint8Array {
  return encoder.encode(
    `The right to ${right} does not extend to this record, as it stands or as it would be.`,
  );
}
