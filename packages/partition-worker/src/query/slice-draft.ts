import {
  KEY_BYTES_MAX,
  PARTITIONS,
  type SipHash,
  SLICE_BYTES,
  VALUE_BYTES_MAX,
} from '@tidewire/core';
import {
  copyBytes,
  copyWords,
  type EventFields,
  eventBytes,
  OutboundKind,
  RecordLayout,
  SLICE_HEAD_BYTES_MAX,
  type SliceFields,
  SliceMessage,
  sliceBytes,
  writeSliceEvent,
  writeSliceHead,
  writeSliceTail,
} from '@tidewire/core/threads';
import { SliceKind } from '@tidewire/schemas';
import type { Outbound } from '../outbound.js';

const EVENT_BYTES_MAX: number = KEY_BYTES_MAX + VALUE_BYTES_MAX + 256;
const HASH_BYTES = 8;
const NO_SLICE: SliceFields = {
  partition: 0,
  kind: SliceKind.UNSPECIFIED,
  begins: false,
  ends: false,
  sequence: 0,
  eventsBytes: 0,
  forgotten: [],
};

/**
 * A SLICE record put together in one turn, for one stream: slices of partitions, and which partitions
 * end in it. All streams share one draft, as only one of them has the turn.
 */
export class SliceDraft {
  readonly #outbound: Outbound;
  readonly #records: Int32Array;
  readonly #recordBytes: Uint8Array;
  /** The events of all slices, one behind the other. */
  readonly #events: Uint8Array = new Uint8Array(SLICE_BYTES + EVENT_BYTES_MAX);
  #eventsEnd = 0;
  #slices: SliceFields[] = [];
  #slice: SliceFields = NO_SLICE;
  readonly #ended: Int32Array = new Int32Array(PARTITIONS * SliceMessage.ENDED_WORDS);
  #endedCount = 0;
  #limit = 0;
  /** Bytes so far, each slice's head at its longest. */
  #used = 0;

  constructor(outbound: Outbound, records: Int32Array) {
    this.#outbound = outbound;
    this.#records = records;
    this.#recordBytes = new Uint8Array(records.buffer);
  }

  /** Begins a record of at most `limit` bytes and SLICE_BYTES, or of one event that is longer. */
  open(limit: number): void {
    this.#limit = Math.min(limit, SLICE_BYTES);
    this.#eventsEnd = 0;
    this.#slices = [];
    this.#endedCount = 0;
    this.#used = 0;
  }

  /** Whether another slice may be opened. */
  hasRoom(): boolean {
    return this.#slices.length === 0 || this.#used + SLICE_HEAD_BYTES_MAX <= this.#limit;
  }

  /** `sequence`: what the partition has reached, in this turn. */
  openSlice(partition: number, sequence: number, kind: SliceKind, begins: boolean): void {
    this.#slice = { ...NO_SLICE, partition, sequence, kind, begins, forgotten: [] };
    this.#used += SLICE_HEAD_BYTES_MAX;
  }

  /** Puts an event into the open slice; false: it does not fit. */
  add(event: EventFields): boolean {
    const bytes = eventBytes(event, this.#records);
    if (!this.#takes(bytes)) return false;
    const events = this.#events;
    this.#slice.eventsBytes += bytes;
    this.#eventsEnd = writeSliceEvent(
      events,
      this.#eventsEnd,
      event,
      this.#records,
      this.#recordBytes,
    );
    return true;
  }

  /** Names a key of the open slice by its hash; false: it does not fit. */
  forget({ low, high }: SipHash): boolean {
    if (!this.#takes(HASH_BYTES)) return false;
    this.#slice.forgotten.push(low, high);
    return true;
  }

  /**
   * Closes the open slice; false: there was nothing to say. A SNAPSHOT begins with the turn in which its
   * scan does, and a RENEWAL, for what is told live from then on is part of it; a partition begun is always ended.
   */
  closeSlice(ends: boolean): boolean {
    const slice = this.#slice;
    slice.ends = ends;
    const isMark = slice.kind === SliceKind.CHANGES ? ends && !slice.begins : slice.begins || ends;
    if (isEmpty(slice) && !isMark) {
      this.#used -= SLICE_HEAD_BYTES_MAX;
      return false;
    }
    this.#slices.push(slice);
    return true;
  }

  /** The partition's catch-up ends in this record, at `sequence`. */
  endPartition(partition: number, sequence: number): void {
    const at = this.#endedCount++ * SliceMessage.ENDED_WORDS;
    this.#ended[at] = partition;
    this.#ended[at + 1] = RecordLayout.lowWord(sequence);
    this.#ended[at + 2] = RecordLayout.highWord(sequence);
  }

  /** Says the record, unless there is nothing in it. Returns the bytes of its slices. */
  say(stream: number, flags: number): number {
    if (this.#slices.length === 0 && this.#endedCount === 0 && flags === 0) return 0;
    const bytes = this.#slices.reduce((sum, slice) => sum + sliceBytes(slice), 0);
    const ended = this.#endedCount * SliceMessage.ENDED_WORDS;
    const length = SliceMessage.ENDED + ended + RecordLayout.wordsOf(bytes);
    const body = this.#outbound.claim(OutboundKind.SLICE, length);
    const { words } = this.#outbound;
    words[body + SliceMessage.STREAM] = stream;
    words[body + SliceMessage.FLAGS] = flags;
    words[body + SliceMessage.BYTES] = bytes;
    words[body + SliceMessage.ENDED_COUNT] = this.#endedCount;
    copyWords(this.#ended, 0, words, body + SliceMessage.ENDED, ended);
    this.#writeSlices((body + SliceMessage.ENDED + ended) * 4);
    return bytes;
  }

  #writeSlices(offset: number): void {
    const target = this.#outbound.ringBytes;
    let at = offset;
    let events = 0;
    for (const slice of this.#slices) {
      at = writeSliceHead(target, at, slice);
      at = copyBytes(this.#events, events, slice.eventsBytes, target, at);
      at = writeSliceTail(target, at, slice);
      events += slice.eventsBytes;
    }
  }

  /** Counts `bytes` more into the record. The first content of a record always fits. */
  #takes(bytes: number): boolean {
    const isFirst = this.#slices.length === 0 && isEmpty(this.#slice);
    if (!isFirst && this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }
}

function isEmpty({ eventsBytes, forgotten }: SliceFields): boolean {
  return eventsBytes === 0 && forgotten.length === 0;
}
