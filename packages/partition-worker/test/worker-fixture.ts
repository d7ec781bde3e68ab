import { toBinary } from '@bufbuild/protobuf';
import { Code, canonicalPredicate, encodePredicate, hashOf, type Predicate } from '@tidewire/core';
import {
  bytesToWords,
  Doorbell,
  EffectLayout,
  ForgetSessionRequest,
  GroupRecord,
  InterestEnd,
  InterestKind,
  OPERATION_EXTENDED,
  Operation,
  OperationExtension,
  OutboundKind,
  RecordLayout,
  RequestKind,
  ResultMessage,
  RingConsumer,
  RingProducer,
  ringBufferBytes,
  SUBSCRIBE_WITH_OLD,
  SubscribedMessage,
  SubscribeRequest,
  TickRequest,
  UnsubscribeRequest,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import {
  type Event,
  EventKind,
  EventSchema,
  type OperationKind,
  ValueKind,
} from '@tidewire/schemas';
import { type EventSaid, readSaid, type Said } from './said.js';

export const START_MS = 1_700_000_000_000;
export const MAP_ID = 3;
const UNKNOWN_KIND = 99;

/** An operation as a gateway sends it. */
export interface Sent {
  readonly kind: OperationKind;
  readonly key: string;
  readonly value?: string | Uint8Array;
  /** Milliseconds of the stamp above START_MS. */
  readonly ms: number;
  readonly node?: number;
  readonly flags?: number;
  readonly expiresAt?: number;
  readonly valueKind?: ValueKind;
  readonly mapId?: number;
  /** Unless it is said with `send`. */
  readonly requestId?: number;
  /** Makes it an update. */
  readonly update?: UpdateSent;
}

export interface UpdateSent {
  /** First word of the resume token; 0: none. */
  readonly token?: number;
  readonly lowestPending?: number;
  /** See OperationExtension. */
  readonly flags?: number;
  readonly ifMs?: number;
  readonly keep?: number;
  /** EXECUTE: further records. */
  readonly others?: readonly { readonly mapId: number; readonly key: string }[];
}

/** What a topic is about: the map, a key of it, or what matches. */
export interface Interest {
  readonly topic: number;
  readonly key?: string;
  readonly where?: Predicate;
  readonly isWithOld?: boolean;
}

/** Small memory of one worker, so that it can be copied thousands of times. */
export function smallMemory(arenaBytes: number = 3 * 1024 * 1024): WorkerMemory {
  const ring = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(ringBufferBytes(bytes));
  return {
    worker: 0,
    workers: 1,
    arena: new SharedArrayBuffer(arenaBytes),
    control: new SharedArrayBuffer(WorkerControl.CONTROL_WORDS * 4),
    effects: new SharedArrayBuffer(64 * EffectLayout.EFFECT_WORDS * 4),
    requestRing: ring(128 * 1024),
    interestRing: ring(16 * 1024),
    outboundRing: ring(1024 * 1024),
    batchRing: ring(64 * 1024),
    recoveryRing: ring(16 * 1024),
  };
}

export function doorbells(): SharedArrayBuffer {
  return new SharedArrayBuffer(256);
}

/** All words of the memory, to go back to. */
export class Snapshot {
  readonly #copies: readonly [Int32Array, Int32Array][];

  constructor(memory: WorkerMemory) {
    const buffers = Object.values(memory).filter(
      (value): value is SharedArrayBuffer => value instanceof SharedArrayBuffer,
    );
    this.#copies = buffers.map((buffer) => {
      const words = new Int32Array(buffer);
      return [words, words.slice()];
    });
  }

  restore(): void {
    for (const [words, copy] of this.#copies) words.set(copy);
  }
}

/** The gateway's end of a worker's rings: sends, and reads what has not been read before. */
export class FakeGateway {
  readonly memory: WorkerMemory;
  /** What the worker said, each answer and each event once. */
  readonly heard: string[] = [];
  /** The events of these, and whatever else subscribers are sent. */
  readonly said: Said[] = [];
  readonly #requests: RingProducer;
  readonly #requestBytes: Uint8Array;
  readonly #interests: RingProducer;
  readonly #outbound: RingConsumer;
  readonly #outboundBytes: Uint8Array;
  #answered: number;
  /** Partition → sequence of the last change heard; and whether the last one was said again. */
  readonly #sequences = new Map<number, number>();
  readonly #isResaid = new Set<number>();

  constructor(memory: WorkerMemory, answered = 0) {
    this.memory = memory;
    this.#answered = answered;
    this.#requests = new RingProducer(memory.requestRing);
    this.#requestBytes = new Uint8Array(memory.requestRing);
    this.#interests = new RingProducer(memory.interestRing);
    this.#outbound = new RingConsumer(memory.outboundRing);
    this.#outboundBytes = new Uint8Array(memory.outboundRing);
  }

  get answered(): number {
    return this.#answered;
  }

  get hasUnread(): boolean {
    return !this.#requests.isDrained();
  }

  send(
    requestId: number,
    {
      kind,
      key,
      value = '',
      ms,
      node = 1,
      flags = 0,
      expiresAt = 0,
      valueKind = ValueKind.JSON,
      mapId = MAP_ID,
      update,
    }: Sent,
  ): void {
    const keyBytes = new TextEncoder().encode(key);
    const valueBytes = Buffer.from(value);
    const keyWords = RecordLayout.wordsOf(keyBytes.length);
    const at = this.#requests.claim(
      RequestKind.OPERATION,
      Operation.KEY + keyWords + RecordLayout.wordsOf(valueBytes.length) + extensionWords(update),
    );
    const { words } = this.#requests;
    const stampMs = START_MS + ms;
    const allFlags = update === undefined ? flags : flags | OPERATION_EXTENDED;
    words[at + Operation.SESSION] = 9;
    words[at + Operation.REQUEST_ID] = requestId;
    words[at + Operation.HASH] = hashOf(keyBytes);
    words[at + Operation.MAP_KIND_FLAGS] = (mapId << 16) | (kind << 8) | allFlags;
    words[at + Operation.MS_LOW] = RecordLayout.lowWord(stampMs);
    words[at + Operation.MS_HIGH_COUNTER] = RecordLayout.highWord(stampMs) << 16;
    words[at + Operation.NODE_VALUE_KIND] = (node << 8) | valueKind;
    words[at + Operation.LENGTHS] = RecordLayout.packLengths(keyBytes.length, valueBytes.length);
    words[at + Operation.EXPIRES_LOW] = RecordLayout.lowWord(expiresAt);
    words[at + Operation.EXPIRES_HIGH] = RecordLayout.highWord(expiresAt);
    words[at + Operation.NOW_LOW] = RecordLayout.lowWord(START_MS);
    words[at + Operation.NOW_HIGH] = RecordLayout.highWord(START_MS);
    const key0 = at + Operation.KEY;
    bytesToWords(keyBytes, 0, keyBytes.length, words, this.#requestBytes, key0);
    const value0 = key0 + keyWords;
    bytesToWords(valueBytes, 0, valueBytes.length, words, this.#requestBytes, value0);
    const extension = value0 + RecordLayout.wordsOf(valueBytes.length);
    if (update !== undefined) {
      writeExtension(words, extension, update);
      writeOthers(words, this.#requestBytes, extension, update);
    }
    this.#requests.commit();
  }

  /** The session of this token will not come back. */
  forgetSession(token: number): void {
    const at = this.#requests.claim(RequestKind.FORGET_SESSION, ForgetSessionRequest.WORDS);
    this.#requests.words.fill(0, at, at + ForgetSessionRequest.WORDS);
    this.#requests.words[at + ForgetSessionRequest.TOKEN] = token;
    this.#requests.commit();
  }

  /** Sends a request other than an operation. */
  request(kind: number, body: Int32Array): void {
    this.#requests.words.set(body, this.#requests.claim(kind, body.length));
    this.#requests.commit();
  }

  /** Tells the time, in milliseconds above START_MS. */
  tick(ms: number, flags = 0): void {
    const at = this.#requests.claimControl(RequestKind.TICK, TickRequest.WORDS);
    const { words } = this.#requests;
    words[at + TickRequest.NOW_LOW] = RecordLayout.lowWord(START_MS + ms);
    words[at + TickRequest.NOW_HIGH] = RecordLayout.highWord(START_MS + ms);
    words[at + TickRequest.FLAGS] = flags;
    this.#requests.commit();
  }

  /** Sends a record that no worker knows, at which it dies; returns the index of its kind. */
  sendPoison(): number {
    const at = this.#requests.claim(UNKNOWN_KIND, UnsubscribeRequest.WORDS);
    this.#requests.commit();
    return at - 1;
  }

  /** Wakes the worker. */
  wake(): void {
    new Doorbell(new Int32Array(this.memory.control), WorkerControl.WORKER_DOORBELL).ring();
  }

  /** Tells the worker's start of this number all interests. */
  introduce(start: number, interests: readonly Interest[]): void {
    for (const interest of interests) {
      const body = subscribeWords(interest);
      this.#interests.words.set(body, this.#interests.claim(InterestKind.SUBSCRIBE, body.length));
    }
    const at = this.#interests.claim(InterestKind.END, InterestEnd.WORDS);
    this.#interests.words[at + InterestEnd.START] = start;
    this.#interests.commit();
  }

  hasNews(): boolean {
    return !this.#outbound.isEmpty();
  }

  /** Reads everything; by the gateway's rule what was said before a death is dropped. */
  listen(): void {
    while (this.#outbound.next()) this.#hear();
    this.#outbound.release();
  }

  #hear(): void {
    const { kind, index: at, words } = this.#outbound;
    const said = readSaid(this.#outbound, this.#outboundBytes);
    if (said?.kind === 'event') return this.#hearEvent(said);
    if (said !== undefined) {
      this.said.push(said);
      return;
    }
    const position = words[at];
    if (((position - this.#answered) | 0) <= 0) return;
    this.#answered = position;
    if (kind === OutboundKind.SUBSCRIBED)
      this.heard.push(`subscribed ${words[at + SubscribedMessage.TOPIC]}`);
    else
      this.heard.push(
        `result ${words[at + ResultMessage.WAITS]} ${this.#body(at + ResultMessage.BODY, words[at + ResultMessage.BYTES])}`,
      );
  }

  #hearEvent(said: EventSaid): void {
    const { event, isFirst, topics } = said;
    const { partition, sequence } = event;
    if (isFirst) {
      const isNew = sequence > (this.#sequences.get(partition) ?? 0);
      if (isNew) this.#isResaid.delete(partition);
      else this.#isResaid.add(partition);
      if (isNew) this.#sequences.set(partition, Number(sequence));
    }
    if (this.#isResaid.has(partition)) return;
    this.said.push(said);
    this.heard.push(`event ${EventKind[event.kind]} ${topics.toSorted().join()} ${textOf(event)}`);
  }

  #body(index: number, length: number): string {
    return Buffer.from(this.#outboundBytes.slice(index * 4, index * 4 + length)).toString('hex');
  }
}

/** All of an event. */
function textOf(event: Event): string {
  return Buffer.from(toBinary(EventSchema, event)).toString('hex');
}

/** What an outcome looks like in `heard`: the first fields of every Result. */
export function saysOutcome(
  heard: string,
  outcome: Code,
  refusal: Code = Code.UNSPECIFIED,
): boolean {
  const hex = (code: Code): string => code.toString(16).padStart(2, '0');
  return heard.includes(`08${hex(outcome)}10${hex(refusal)}18`);
}

function writeExtension(words: Int32Array, at: number, update: UpdateSent): void {
  const ifMs = START_MS + (update.ifMs ?? 0);
  words.fill(0, at, at + OperationExtension.WORDS);
  words[at + OperationExtension.TOKEN] = update.token ?? 0;
  words[at + OperationExtension.LOWEST_PENDING] = update.lowestPending ?? 0;
  words[at + OperationExtension.FLAGS] = update.flags ?? 0;
  words[at + OperationExtension.IF_MS_LOW] = RecordLayout.lowWord(ifMs);
  words[at + OperationExtension.IF_MS_HIGH_COUNTER] = RecordLayout.highWord(ifMs) << 16;
  words[at + OperationExtension.IF_NODE] = 1;
  words[at + OperationExtension.KEEP] = update.keep ?? 0;
}

function extensionWords(update: UpdateSent | undefined): number {
  if (update === undefined) return 0;
  const names = (update.others ?? []).map(
    ({ key }) => GroupRecord.KEY + RecordLayout.wordsOf(Buffer.byteLength(key)),
  );
  return names.reduce((sum, words) => sum + words, OperationExtension.WORDS);
}

function writeOthers(
  words: Int32Array,
  wordBytes: Uint8Array,
  extension: number,
  { others = [] }: UpdateSent,
): void {
  words[extension + OperationExtension.OTHER_COUNT] = others.length;
  let at = extension + OperationExtension.WORDS;
  for (const { mapId, key } of others) {
    const bytes = Buffer.from(key);
    words[at + GroupRecord.HASH] = hashOf(bytes);
    words[at + GroupRecord.MAP_KEY_LENGTH] = (mapId << 16) | bytes.length;
    bytesToWords(bytes, 0, bytes.length, words, wordBytes, at + GroupRecord.KEY);
    at += GroupRecord.KEY + RecordLayout.wordsOf(bytes.length);
  }
}

/** The body of a SUBSCRIBE record. */
export function subscribeWords({ topic, key = '', where, isWithOld }: Interest): Int32Array {
  const keyBytes = Buffer.from(key);
  const body = where === undefined ? keyBytes : encodePredicate(canonicalPredicate(where));
  const words = new Int32Array(SubscribeRequest.BODY + RecordLayout.wordsOf(body.length));
  words[SubscribeRequest.TOPIC] = topic;
  words[SubscribeRequest.MAP] = MAP_ID;
  words[SubscribeRequest.HASH] = hashOf(keyBytes);
  words[SubscribeRequest.KEY_LENGTH] = keyBytes.length;
  words[SubscribeRequest.PREDICATE_LENGTH] = where === undefined ? 0 : body.length;
  words[SubscribeRequest.FLAGS] = isWithOld === true ? SUBSCRIBE_WITH_OLD : 0;
  putBytes(words, SubscribeRequest.BODY, body);
  return words;
}

/** Puts bytes where a record has them, zero-padded to words. */
export function putBytes(words: Int32Array, index: number, bytes: Uint8Array): void {
  bytesToWords(bytes, 0, bytes.length, words, new Uint8Array(words.buffer), index);
}
