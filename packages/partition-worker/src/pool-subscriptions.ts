import { type Predicate, parsePredicate } from '@tidewire/core';
import { EventMessage, type MapTable } from '@tidewire/core/threads';
import { Code } from '@tidewire/schemas';
import { decodeEvent, entryEventOf } from './answer.js';
import { HeardChanges } from './front/heard-changes.js';
import { conditionOf, type Wish } from './front/interest.js';
import type { PartitionService } from './front/partition-service.js';
import { TopicFault, TopicRegister } from './front/topic-register.js';
import type { WorkerRequests } from './front/worker-requests.js';
import { PoolError } from './pool-error.js';
import { type EventHandler, PoolTopic } from './pool-topic.js';

/** What to hear of; nothing: every change of the map. */
export interface SubscribeOptions {
  readonly key?: string;
  /** A predicate, or its text form, such as `age >= 18 and not city = 'Paris'`. Not with a key. */
  readonly where?: Predicate | string;
}

export interface PoolSubscription {
  /** The handler is not called any more. */
  close(): void;
}

const encoder = new TextEncoder();

/** The embedding thread's subscriptions. */
export class PoolSubscriptions {
  readonly #topics: TopicRegister<PoolTopic>;
  readonly #heard: HeardChanges = new HeardChanges();
  readonly #onWork: () => void;

  constructor(options: {
    mapTable: MapTable;
    partitions: PartitionService;
    requests: WorkerRequests;
    onWork: () => void;
  }) {
    const { partitions, requests } = options;
    this.#onWork = options.onWork;
    this.#topics = new TopicRegister({
      mapTable: options.mapTable,
      requests,
      ownersOf: (interest) => partitions.ownersOf(interest),
      makeTopic: (id, interest, workers) => new PoolTopic(id, interest, workers),
    });
  }

  /** Resolves when every later change is heard of. */
  async subscribe(
    map: string,
    handler: EventHandler,
    options: SubscribeOptions,
  ): Promise<PoolSubscription> {
    const topic = this.#topics.claim(encoder.encode(map), wishOf(options));
    if (topic instanceof TopicFault) throw new PoolError(topic.code, topic.detail);
    topic.map = map;
    const own: EventHandler = (event) => handler(event); // the same handler may come twice
    topic.handlers.add(own);
    this.#onWork();
    if (!topic.isLive) await new Promise<void>((resolve) => topic.waiting.push(resolve));
    return { close: () => this.#close(topic, own) };
  }

  onWorkerStart(worker: number, start: number): void {
    this.#topics.onWorkerStart(worker, start);
  }

  /** Tells workers that start. Returns the work done. */
  introduce(): number {
    return this.#topics.introduce();
  }

  onSubscribed(worker: number, topic: number): void {
    this.#topics.onSubscribed(worker, topic)?.goLive();
  }

  onEvent(words: Int32Array, wordBytes: Uint8Array, at: number): void {
    if (!this.#heard.isNew(words, at)) return;
    const count = words[at + EventMessage.TOPIC_COUNT];
    const offset = (at + EventMessage.TOPICS + count) * 4;
    const event = decodeEvent(wordBytes, offset, words[at + EventMessage.BYTES]);
    for (let i = 0; i < count; i++) {
      const topic = this.#topics.get(words[at + EventMessage.TOPICS + i]);
      if (topic !== undefined) tell(topic, entryEventOf(topic.map, event));
    }
  }

  #close(topic: PoolTopic, handler: EventHandler): void {
    if (!topic.handlers.delete(handler) || topic.handlers.size > 0) return;
    this.#topics.retire(topic);
    this.#onWork();
  }
}

function wishOf({ key, where }: SubscribeOptions): Wish {
  if (key !== undefined && where !== undefined)
    throw new PoolError(Code.INVALID, 'Either a key or where, not both.');
  if (key !== undefined) return { key: encoder.encode(key) };
  return where === undefined
    ? {}
    : conditionOf(typeof where === 'string' ? parsePredicate(where) : where);
}

/** What a handler throws is the embedder's; the pool goes on. */
function tell(topic: PoolTopic, event: Parameters<EventHandler>[0]): void {
  for (const handler of topic.handlers) {
    try {
      handler(event);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
