import {
  encodeField,
  encodePredicate,
  type Field,
  hashOf,
  type Predicate,
  partitionOf,
} from '@tidewire/core';
import {
  CATCH_UP_RENEW,
  CATCH_UP_RESUME,
  CATCH_UP_SNAPSHOT,
  CatchUpRequest,
  QueryRequest,
  RecordLayout,
  RequestKind,
  RingConsumer,
  ringBufferBytes,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';
import { ChangeEvents } from '#lib/change-events.js';
import { Executor } from '#lib/execute/executor.js';
import { ProcessorRunner } from '#lib/execute/processor-runner.js';
import { RowRules } from '#lib/execute/row-rules.js';
import { Timers } from '#lib/lifetime/timers.js';
import { Outbound } from '#lib/outbound.js';
import { Streams } from '#lib/query/streams.js';
import { SubscriptionIndex } from '#lib/query/subscription-index.js';
import { RecordStore } from '#lib/store/record-store.js';
import { TurnTime } from '#lib/turn-time.js';
import { readSaid, type Said } from './said.js';
import {
  doorbells,
  FakeGateway,
  type Interest,
  MAP_ID,
  putBytes,
  type Sent,
  START_MS,
  smallMemory,
  subscribeWords,
} from './worker-fixture.js';

interface Asked {
  readonly where?: Predicate;
  readonly orderBy?: Field;
  readonly limit?: number;
  readonly flags?: number;
  readonly credit?: number;
}

export interface CatchUpEntry {
  readonly partition: number;
  /** Left out: a SNAPSHOT. */
  readonly cursor?: number | undefined;
  /** In place of changes a RENEWAL. */
  readonly isRenewed?: boolean;
}

export const SALT: Int32Array = Int32Array.of(1, 2, 3, 4);
/** Takes the largest value. */
const REQUEST_RING_BYTES: number = 512 * 1024;
const partitions = Array.from({ length: 271 }, (_, partition) => partition);

export function partitionOfKey(key: string): number {
  return partitionOf(hashOf(Buffer.from(key)));
}

/** `count` keys that lie in the partition. */
export function keysIn(partition: number, count: number): string[] {
  const keys: string[] = [];
  for (let i = 0; keys.length < count; i++)
    if (partitionOfKey(`k${i}`) === partition) keys.push(`k${i}`);
  return keys;
}

/** The parts of a worker that writes and streams concern, stepped by hand, with journals of any length. */
export class StreamBench {
  readonly memory: WorkerMemory;
  readonly store: RecordStore;
  readonly streams: Streams;
  /** Partition → sequence up to which tombstones have been collected. */
  readonly collected = new Map<number, number>();
  readonly #gateway: FakeGateway;
  readonly #requests: RingConsumer;
  readonly #said: RingConsumer;
  readonly #saidBytes: Uint8Array;
  readonly #outbound: Outbound;
  readonly #interests: SubscriptionIndex;
  readonly #executor: Executor;
  #ms = 0;

  constructor(
    journalEntries = 2048,
    arenaBytes: number = 16 * 1024 * 1024,
    elapsedMs: () => number = () => 0,
  ) {
    const requestRing = new SharedArrayBuffer(ringBufferBytes(REQUEST_RING_BYTES));
    const memory = { ...smallMemory(arenaBytes), requestRing };
    this.memory = memory;
    const control = new Int32Array(memory.control);
    this.store = new RecordStore(memory.arena, { journalEntries });
    const { store } = this;
    this.#gateway = new FakeGateway(memory);
    this.#requests = new RingConsumer(memory.requestRing);
    this.#said = new RingConsumer(memory.outboundRing);
    this.#saidBytes = new Uint8Array(memory.outboundRing);
    const interests = new SubscriptionIndex(control);
    const rules = new RowRules(store.words);
    const outbound = new Outbound({ memory, doorbells: doorbells(), interests, rules, store });
    this.#interests = interests;
    this.#outbound = outbound;
    const events = new ChangeEvents({ outbound, interests, words: store.words });
    const timers = new Timers(store, partitions);
    this.#executor = new Executor({
      store,
      outbound,
      events,
      rules,
      timers,
      control,
      effects: memory.effects,
      runner: new ProcessorRunner([], () => 0),
    });
    const collectedUpTo = (partition: number): number => this.collected.get(partition) ?? 0;
    const time = new TurnTime(elapsedMs, () => {});
    this.streams = new Streams({
      outbound,
      interests,
      store,
      control,
      time,
      partitions,
      collectedUpTo,
    });
  }

  put(key: string, value: string | Uint8Array, more: Partial<Sent> = {}): void {
    this.#gateway.send(1, { kind: OperationKind.PUT, key, value, ms: ++this.#ms, ...more });
    this.#execute();
  }

  remove(key: string): void {
    this.#gateway.send(1, { kind: OperationKind.REMOVE, key, ms: ++this.#ms });
    this.#execute();
  }

  /** Forgets the key's tombstone, as a collection does. */
  collect(key: string): void {
    const record = this.recordOf(key);
    const partition = partitionOfKey(key);
    const sequence = RecordLayout.sequenceOf(this.store.words, record);
    this.collected.set(partition, Math.max(sequence, this.collected.get(partition) ?? 0));
    this.store.remove(record);
  }

  /** The record of the key, or ABSENT. */
  recordOf(key: string): number {
    const bytes = Buffer.from(key);
    const words = new Int32Array(RecordLayout.wordsOf(bytes.length));
    putBytes(words, 0, bytes);
    const hash = hashOf(bytes);
    return this.store.find(partitionOf(hash), MAP_ID, hash, words, 0, bytes.length);
  }

  subscribe(topic: number, interest: Omit<Interest, 'topic'> = {}): void {
    this.#interests.add(subscribeWords({ topic, ...interest }), 0);
  }

  unsubscribe(topic: number): void {
    this.#interests.remove(topic);
  }

  catchUp(
    stream: number,
    topic: number,
    entries: readonly CatchUpEntry[],
    credit: number = 1 << 20,
  ): void {
    this.streams.catchUp(catchUpWords(stream, topic, entries, credit), 0);
    this.#outbound.commit();
  }

  query(stream: number, asked: Asked): void {
    this.streams.query(queryWords(stream, asked), 0);
  }

  /** Lets the streams work until none may, and returns what was said. */
  settle(): Said[] {
    const said: Said[] = [];
    while (this.streams.doWork() > 0) said.push(...this.listen());
    return [...said, ...this.listen()];
  }

  /** What was said since the last call. */
  listen(): Said[] {
    const said: Said[] = [];
    while (this.#said.next()) {
      const item = readSaid(this.#said, this.#saidBytes);
      if (item !== undefined) said.push(item);
    }
    this.#said.release();
    return said;
  }

  #execute(): void {
    while (this.#requests.next()) {
      if (this.#requests.kind !== RequestKind.OPERATION) continue;
      const { words, index, position } = this.#requests;
      if (!this.#outbound.hasRoom()) throw new Error('the bench does not listen');
      this.#executor.execute(words, index, position);
      this.#outbound.commit();
      this.#requests.release(position);
    }
  }
}

/** The body of a CATCH_UP record. */
export function catchUpWords(
  stream: number,
  topic: number,
  entries: readonly CatchUpEntry[],
  credit: number,
): Int32Array {
  const words = new Int32Array(
    CatchUpRequest.ENTRIES + entries.length * CatchUpRequest.ENTRY_WORDS,
  );
  words[CatchUpRequest.STREAM] = stream;
  words[CatchUpRequest.TOPIC] = topic;
  words.set(SALT, CatchUpRequest.SALT);
  words[CatchUpRequest.CREDIT] = credit;
  words[CatchUpRequest.NOW_LOW] = RecordLayout.lowWord(START_MS);
  words[CatchUpRequest.NOW_HIGH] = RecordLayout.highWord(START_MS);
  words[CatchUpRequest.COUNT] = entries.length;
  for (const [i, { partition, cursor, isRenewed }] of entries.entries()) {
    const at = CatchUpRequest.ENTRIES + i * CatchUpRequest.ENTRY_WORDS;
    const resume = isRenewed ? CATCH_UP_RENEW : CATCH_UP_RESUME;
    const mode = cursor === undefined ? CATCH_UP_SNAPSHOT : resume;
    words[at] = partition | (mode << 16);
    words[at + 1] = RecordLayout.lowWord(cursor ?? 0);
    words[at + 2] = RecordLayout.highWord(cursor ?? 0);
  }
  return words;
}

/** The body of a QUERY record. */
export function queryWords(
  stream: number,
  { where, orderBy, limit = 0, flags = 0, credit = 1 << 20 }: Asked,
): Int32Array {
  const predicate = where === undefined ? new Uint8Array() : encodePredicate(where);
  const order = orderBy === undefined ? new Uint8Array() : encodeField(orderBy);
  const orderAt = QueryRequest.BODY + RecordLayout.wordsOf(predicate.length);
  const words = new Int32Array(orderAt + RecordLayout.wordsOf(order.length));
  words[QueryRequest.STREAM] = stream;
  words[QueryRequest.MAP] = MAP_ID;
  words[QueryRequest.CREDIT] = credit;
  words[QueryRequest.NOW_LOW] = RecordLayout.lowWord(START_MS);
  words[QueryRequest.NOW_HIGH] = RecordLayout.highWord(START_MS);
  words[QueryRequest.LIMIT] = limit;
  words[QueryRequest.FLAGS] = flags;
  words[QueryRequest.PREDICATE_LENGTH] = predicate.length;
  words[QueryRequest.ORDER_LENGTH] = order.length;
  putBytes(words, QueryRequest.BODY, predicate);
  putBytes(words, orderAt, order);
  return words;
}
