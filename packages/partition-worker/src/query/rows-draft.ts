import { KEY_BYTES_MAX, SLICE_BYTES, VALUE_BYTES_MAX } from '@tidewire/core';
import {
  copyBytes,
  type EventFields,
  eventBytes,
  OutboundKind,
  RecordLayout,
  type Row,
  RowsMessage,
  writeEvent,
} from '@tidewire/core/threads';
import type { Outbound } from '../outbound.js';

const EVENT_BYTES_MAX: number = KEY_BYTES_MAX + VALUE_BYTES_MAX + 256;

/** What a ROWS record says beside its rows. */
export interface RowsHead {
  readonly stream: number;
  readonly flags: number;
  readonly count: number;
}

/** A ROWS record put together in one turn, for one stream. All queries share one draft. */
export class RowsDraft {
  readonly #outbound: Outbound;
  readonly #records: Int32Array;
  readonly #recordBytes: Uint8Array;
  readonly #events: Uint8Array = new Uint8Array(SLICE_BYTES + EVENT_BYTES_MAX);
  #bytes = 0;
  #limit = 0;

  constructor(outbound: Outbound, records: Int32Array) {
    this.#outbound = outbound;
    this.#records = records;
    this.#recordBytes = new Uint8Array(records.buffer);
  }

  /** Begins a record of at most `limit` bytes and SLICE_BYTES, or of one row that is longer. */
  open(limit: number): void {
    this.#limit = Math.min(limit, SLICE_BYTES);
    this.#bytes = 0;
  }

  /** Puts a row into a record whose rows have no order; false: it does not fit. */
  add(event: EventFields): boolean {
    const bytes = eventBytes(event, this.#records);
    if (this.#bytes > 0 && this.#bytes + bytes > this.#limit) return false;
    writeEvent(this.#events, this.#bytes, event, this.#records, this.#recordBytes);
    this.#bytes += bytes;
    return true;
  }

  /** Says the rows added, unless there is nothing to say. Returns their bytes. */
  say(head: RowsHead): number {
    const bytes = this.#bytes;
    if (bytes === 0 && head.flags === 0) return 0;
    const body = this.#claim(head, 0, bytes, RecordLayout.wordsOf(bytes));
    copyBytes(this.#events, 0, bytes, this.#outbound.ringBytes, (body + RowsMessage.ROWS) * 4);
    return bytes;
  }

  /** How many of the sorted rows fit, sort keys included. */
  countOf(rows: readonly Row[]): number {
    let end = 0;
    for (let bytes = 0; end < rows.length; end++) {
      bytes += rows[end].event.length + rows[end].sortKey.length;
      if (end > 0 && bytes > this.#limit) break;
    }
    return end;
  }

  /** Says sorted rows. Returns the bytes of their events. */
  saySorted(head: RowsHead, rows: readonly Row[]): number {
    const bytes = rows.reduce((sum, { event }) => sum + event.length, 0);
    const total = rows.reduce((sum, { sortKey }) => sum + sortKey.length, bytes);
    const lengths = rows.length * RowsMessage.ROW_WORDS;
    const body = this.#claim(head, rows.length, bytes, lengths + RecordLayout.wordsOf(total));
    const { words, ringBytes } = this.#outbound;
    for (const [i, { sortKey, event }] of rows.entries()) {
      const at = body + RowsMessage.ROWS + i * RowsMessage.ROW_WORDS;
      words[at] = sortKey.length;
      words[at + 1] = event.length;
    }
    let offset = (body + RowsMessage.ROWS + lengths) * 4;
    for (const { event } of rows) offset = copyBytes(event, 0, event.length, ringBytes, offset);
    for (const { sortKey } of rows)
      offset = copyBytes(sortKey, 0, sortKey.length, ringBytes, offset);
    return bytes;
  }

  #claim({ stream, flags, count }: RowsHead, rows: number, bytes: number, words: number): number {
    const body = this.#outbound.claim(OutboundKind.ROWS, RowsMessage.ROWS + words);
    const target = this.#outbound.words;
    target[body + RowsMessage.STREAM] = stream;
    target[body + RowsMessage.FLAGS] = flags;
    target[body + RowsMessage.COUNT_LOW] = RecordLayout.lowWord(count);
    target[body + RowsMessage.COUNT_HIGH] = RecordLayout.highWord(count);
    target[body + RowsMessage.BYTES] = bytes;
    target[body + RowsMessage.ROW_COUNT] = rows;
    return body;
  }
}
