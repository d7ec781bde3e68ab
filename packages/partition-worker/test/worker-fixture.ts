import { Code, hashOf } from '@tidewire/core';
import {
  bytesToWords,
  Doorbell,
  EventMessage,
  InterestEnd,
  InterestKind,
  Operation,
  OutboundKind,
  RecordLayout,
  RequestKind,
  ResultMessage,
  RingConsumer,
  RingProducer,
  ringBufferBytes,
  SubscribedMessage,
  SubscribeRequest,
  TickRequest,
  UnsubscribeRequest,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { type OperationKind, ValueKind } from '@tidewire/schemas';

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
}

/** Small memory of one worker, so that it can be copied thousands of times. */
export function smallMemory(arenaBytes: number = 3 * 1024 * 1024): WorkerMemory {
  const ring = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(ringBufferBytes(bytes));
  return {
    worker: 0,
    workers: 1,
    arena: new SharedArrayBuffer(arenaBytes),
    control: new SharedArrayBuffer(WorkerControl.CONTROL_WORDS * 4),
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
  /** What the worker said, each thing once. */
  readonly heard: string[] = [];
  readonly #requests: RingProducer;
  readonly #requestBytes: Uint8Array;
  readonly #interests: RingProducer;
  readonly #interestBytes: Uint8Array;
  readonly #outbound: RingConsumer;
  readonly #outboundBytes: Uint8Array;
  #answered: number;
  readonly #sequences = new Map<number, number>();

  constructor(memory: WorkerMemory, answered = 0) {
    this.memory = memory;
    this.#answered = answered;
    this.#requests = new RingProducer(memory.requestRing);
    this.#requestBytes = new Uint8Array(memory.requestRing);
    this.#interests = new RingProducer(memory.interestRing);
    this.#interestBytes = new Uint8Array(memory.interestRing);
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
    }: Sent,
  ): void {
    const keyBytes = new TextEncoder().encode(key);
    const valueBytes = Buffer.from(value);
    const keyWords = RecordLayout.wordsOf(keyBytes.length);
    const at = this.#requests.claim(
      RequestKind.OPERATION,
      Operation.KEY + keyWords + RecordLayout.wordsOf(valueBytes.length),
    );
    const { words } = this.#requests;
    const stampMs = START_MS + ms;
    words[at + Operation.SESSION] = 9;
    words[at + Operation.REQUEST_ID] = requestId;
    words[at + Operation.HASH] = hashOf(keyBytes);
    words[at + Operation.MAP_KIND_FLAGS] = (MAP_ID << 16) | (kind << 8) | flags;
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
    bytesToWords(valueBytes, 0, valueBytes.length, words, this.#requestBytes, key0 + keyWords);
    this.#requests.commit();
  }

  subscribe(topic: number, key = ''): void {
    writeSubscribe(this.#requests, this.#requestBytes, RequestKind.SUBSCRIBE, topic, key);
  }

  unsubscribe(topic: number): void {
    const at = this.#requests.claim(RequestKind.UNSUBSCRIBE, UnsubscribeRequest.WORDS);
    this.#requests.words[at + UnsubscribeRequest.TOPIC] = topic;
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
  introduce(start: number, interests: readonly { topic: number; key: string }[]): void {
    for (const { topic, key } of interests)
      writeSubscribe(this.#interests, this.#interestBytes, InterestKind.SUBSCRIBE, topic, key);
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
    if (kind === OutboundKind.EVENT) return this.#hearEvent(words, at);
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

  #hearEvent(words: Int32Array, at: number): void {
    const partition = words[at + EventMessage.PARTITION];
    const sequence = words[at + EventMessage.SEQUENCE_LOW];
    if (sequence <= (this.#sequences.get(partition) ?? 0)) return;
    this.#sequences.set(partition, sequence);
    const count = words[at + EventMessage.TOPIC_COUNT];
    const topics = words.slice(at + EventMessage.TOPICS, at + EventMessage.TOPICS + count);
    const body = this.#body(at + EventMessage.TOPICS + count, words[at + EventMessage.BYTES]);
    this.heard.push(`event ${topics.join()} ${body}`);
  }

  #body(index: number, length: number): string {
    return Buffer.from(this.#outboundBytes.slice(index * 4, index * 4 + length)).toString('hex');
  }
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

function writeSubscribe(
  ring: RingProducer,
  bytes: Uint8Array,
  kind: number,
  topic: number,
  key: string,
): void {
  const keyBytes = new TextEncoder().encode(key);
  const words = SubscribeRequest.BODY + RecordLayout.wordsOf(keyBytes.length);
  const at = ring.claim(kind, words);
  ring.words[at + SubscribeRequest.TOPIC] = topic;
  ring.words[at + SubscribeRequest.MAP] = MAP_ID;
  ring.words[at + SubscribeRequest.HASH] = hashOf(keyBytes);
  ring.words[at + SubscribeRequest.KEY_LENGTH] = keyBytes.length;
  ring.words[at + SubscribeRequest.PREDICATE_LENGTH] = 0;
  ring.words[at + SubscribeRequest.FLAGS] = 0;
  bytesToWords(keyBytes, 0, keyBytes.length, ring.words, bytes, at + SubscribeRequest.BODY);
  ring.commit();
}
