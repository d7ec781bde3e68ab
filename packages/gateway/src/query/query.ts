import { RecordLayout, type Row, RowsMessage } from '@tidewire/core/threads';
import {
  type ControlRecord,
  type QueryFields,
  queryRecord,
} from '@tidewire/partition-worker/front';
import type { Session } from '../session/session.js';
import type { Delivery, WorkerStream } from '../stream/stream-desk.js';
import { keyOf } from '../subscription/event-entry.js';
import type { RowMerge } from './row-merge.js';

/** A query under way. */
export interface Query {
  readonly session: Session;
  readonly requestId: number;
  readonly deliveries: Set<QueryDelivery>;
  /** Undefined: rows go out as they come. */
  readonly merge: RowMerge | undefined;
  /** Rows that may still be sent, where they are merged. */
  rowsLeft: number;
  /** Records that matched, in the workers that have ended. */
  count: number;
  /** Something of a merged answer has been sent. */
  hasSent: boolean;
}

export interface QueryHandler {
  onRows(
    delivery: QueryDelivery,
    stream: WorkerStream,
    words: Int32Array,
    wordBytes: Uint8Array,
    at: number,
  ): void;
  onLost(delivery: QueryDelivery, stream: WorkerStream): boolean;
}

/** What one worker sends for a query, or all of them together if rows are merged. */
export class QueryDelivery implements Delivery {
  readonly query: Query;
  readonly session: Session;
  readonly streams: Set<WorkerStream>;
  /** Bytes whose rows have not been merged yet, by stream: no credit is given for them. */
  readonly unmerged: Map<WorkerStream, number> = new Map();
  /** Rows of it have been sent as they came. */
  hasSent = false;
  readonly #fields: QueryFields;
  readonly #handler: QueryHandler;

  constructor(
    query: Query,
    options: { workers: readonly number[]; fields: QueryFields; handler: QueryHandler },
  ) {
    this.query = query;
    this.session = query.session;
    this.streams = new Set(options.workers.map((worker) => ({ worker, number: 0, owed: 0 })));
    this.#fields = options.fields;
    this.#handler = options.handler;
  }

  request(stream: WorkerStream): ControlRecord {
    return queryRecord(stream.number, this.#fields);
  }

  onRecord(stream: WorkerStream, words: Int32Array, wordBytes: Uint8Array, at: number): void {
    this.#handler.onRows(this, stream, words, wordBytes, at);
  }

  onLost(stream: WorkerStream): boolean {
    return this.#handler.onLost(this, stream);
  }
}

/** Records that matched, by a ROWS record that is the last. */
export function countOf(words: Int32Array, at: number): number {
  return RecordLayout.joinWords(
    words[at + RowsMessage.COUNT_LOW],
    words[at + RowsMessage.COUNT_HIGH],
  );
}

/** Copies of the sorted rows of a ROWS record. */
export function sortedRowsOf(words: Int32Array, wordBytes: Uint8Array, at: number): Row[] {
  const count = words[at + RowsMessage.ROW_COUNT];
  const lengths = at + RowsMessage.ROWS;
  let eventAt = (lengths + count * RowsMessage.ROW_WORDS) * 4;
  let sortKeyAt = eventAt + words[at + RowsMessage.BYTES];
  const rows: Row[] = [];
  for (let i = lengths; rows.length < count; i += RowsMessage.ROW_WORDS) {
    const sortKey = wordBytes.slice(sortKeyAt, sortKeyAt + words[i]);
    const event = wordBytes.slice(eventAt, eventAt + words[i + 1]);
    rows.push({ sortKey, key: keyOf(event, 0), event });
    sortKeyAt += words[i];
    eventAt += words[i + 1];
  }
  return rows;
}
