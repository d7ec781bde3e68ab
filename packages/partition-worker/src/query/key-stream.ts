import { partitionOf } from '@tidewire/core';
import { type EventFields, NO_RECORD, RecordLayout, STREAM_LAST } from '@tidewire/core/threads';
import { EventKind, SliceKind } from '@tidewire/schemas';
import { ABSENT, type RecordStore } from '../store/record-store.js';
import type { CatchUpEntries } from './catch-up-entries.js';
import type { CatchUpOptions } from './catch-up-stream.js';
import type { SliceDraft } from './slice-draft.js';
import type { Stream } from './stream.js';
import type { KeyTopic } from './topic.js';

/**
 * Sends the subscriber of a key its state, unless it holds the very sequence; ends at once. The slice
 * is a SNAPSHOT, with the key's record or, if there is none, without one.
 */
export class KeyStream implements Stream {
  readonly id: number;
  credit: number;
  readonly heldBytes = 0;
  readonly #topic: KeyTopic;
  readonly #entries: CatchUpEntries;
  readonly #nowMs: number;
  readonly #store: RecordStore;
  readonly #draft: SliceDraft;

  constructor(options: CatchUpOptions & { topic: KeyTopic }) {
    this.id = options.id;
    this.credit = options.credit;
    this.#topic = options.topic;
    this.#entries = options.entries;
    this.#nowMs = options.nowMs;
    this.#store = options.store;
    this.#draft = options.draft;
  }

  step(): boolean {
    const { hash, mapId, key, keyLength } = this.#topic;
    const partition = partitionOf(hash);
    const record = this.#store.find(partition, mapId, hash, key, 0, keyLength);
    this.#draft.open(this.credit);
    if (!this.#isKnown(record)) this.#draftState(partition, record);
    this.#draft.endPartition(partition, this.#store.sequence(partition));
    this.credit -= this.#draft.say(this.id, STREAM_LAST);
    return true;
  }

  /** A key that never was, or is forgotten, has sequence 0. */
  #isKnown(record: number): boolean {
    const sequence = record === ABSENT ? 0 : RecordLayout.sequenceOf(this.#store.words, record);
    return this.#entries.kindAt(0) === SliceKind.CHANGES && this.#entries.cursorAt(0) === sequence;
  }

  #draftState(partition: number, record: number): void {
    const sequence = this.#store.sequence(partition);
    this.#draft.openSlice(partition, sequence, SliceKind.SNAPSHOT, true);
    if (record !== ABSENT) this.#draft.add(this.#eventOf(record));
    this.#draft.closeSlice(true);
  }

  #eventOf(record: number): EventFields {
    const isStanding = RecordLayout.isStanding(this.#store.words, record, this.#nowMs);
    return { kind: isStanding ? EventKind.PUT : EventKind.REMOVE, record, old: NO_RECORD };
  }
}
