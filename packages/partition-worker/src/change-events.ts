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
import type { SubscriptionIndex } from './query/subscription-index.js';

/**
 * Tells changes to the topics they concern: one EVENT record for each kind of event a change makes,
 * encoded once for all topics of that kind. Said again after a death, the records are the same.
 */
export class ChangeEvents {
  readonly #outbound: Outbound;
  readonly #interests: SubscriptionIndex;
  readonly #words: Int32Array;
  readonly #wordBytes: Uint8Array;
  readonly #event: EventFields = { kind: 0, record: 0, old: NO_RECORD };

  constructor(options: { outbound: Outbound; interests: SubscriptionIndex; words: Int32Array }) {
    this.#outbound = options.outbound;
    this.#interests = options.interests;
    this.#words = options.words;
    this.#wordBytes = new Uint8Array(options.words.buffer);
  }

  /** Tells the topics that the change which made `record` concerns; nothing if there are none. */
  tell(partition: number, record: number): void {
    const count = this.#interests.lookUp(this.#words, record);
    if (count === 0) return;
    const event = this.#event;
    event.kind = RecordLayout.isTombstone(this.#words, record) ? EventKind.REMOVE : EventKind.PUT;
    event.record = record;
    this.#write(partition, this.#interests.topics, count);
  }

  #write(partition: number, topics: Int32Array, count: number): void {
    const { record } = this.#event;
    const bytes = eventBytes(this.#event, this.#words);
    const length = EventMessage.TOPICS + count + RecordLayout.wordsOf(bytes);
    const body = this.#outbound.claim(OutboundKind.EVENT, length);
    const { words, ringBytes } = this.#outbound;
    words[body + EventMessage.PARTITION] = partition;
    words[body + EventMessage.SEQUENCE_LOW] = this.#words[record + RecordLayout.SEQUENCE_LOW];
    words[body + EventMessage.SEQUENCE_HIGH] =
      this.#words[record + RecordLayout.MS_HIGH_SEQUENCE_HIGH] & 0xffff;
    words[body + EventMessage.BYTES] = bytes;
    words[body + EventMessage.FIRST] = 1;
    words[body + EventMessage.TOPIC_COUNT] = count;
    for (let i = 0; i < count; i++) words[body + EventMessage.TOPICS + i] = topics[i];
    const offset = (body + EventMessage.TOPICS + count) * 4;
    writeEvent(ringBytes, offset, this.#event, this.#words, this.#wordBytes);
  }
}
