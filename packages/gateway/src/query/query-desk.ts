import {
  Code,
  type HybridLogicalClock,
  QUERIES_MAX,
  QUERY_BYTES_MAX,
  STREAM_CREDIT_BYTES,
} from '@tidewire/core';
import {
  type MapTable,
  NO_MAP,
  RowsMessage,
  STREAM_LAST,
  STREAM_TOO_LARGE,
} from '@tidewire/core/threads';
import type { QueryFields, WorkerRequests } from '@tidewire/partition-worker/front';
import type { CancelQuery, Query as QueryMessage } from '@tidewire/schemas';
import type { Audit } from '../access/audit.js';
import type { ControlFrames } from '../control-frames.js';
import { FrameBuffer } from '../frame-buffer.js';
import { Refusal } from '../refusal.js';
import type { Session } from '../session/session.js';
import type { StreamDesk, WorkerStream } from '../stream/stream-desk.js';
import { StreamFrame } from '../stream/stream-frame.js';
import type { TurnTime } from '../turn-time.js';
import { countOf, type Query, QueryDelivery, type QueryHandler, sortedRowsOf } from './query.js';
import { type Asked, askedOf, askedWithin } from './query-check.js';
import { RowMerge } from './row-merge.js';

/** What a worker may send before its rows are merged, at least. */
const MERGE_CREDIT_BYTES_MIN = 4096;

/**
 * Answers queries: each is put to all workers, rows go out as they come or merged in their order,
 * and one frame ends it, whatever happens.
 */
export class QueryDesk implements QueryHandler {
  readonly #streams: StreamDesk;
  readonly #mapTable: MapTable;
  readonly #requests: WorkerRequests;
  readonly #control: ControlFrames;
  readonly #audit: Audit;
  readonly #time: TurnTime;
  readonly #send: (session: Session, bytes: Uint8Array) => void;
  readonly #frame: StreamFrame;
  readonly #buffer: FrameBuffer = new FrameBuffer();
  /** The server stops: every query is refused. */
  isDraining = false;

  constructor(options: {
    streams: StreamDesk;
    mapTable: MapTable;
    requests: WorkerRequests;
    control: ControlFrames;
    audit: Audit;
    clock: HybridLogicalClock;
    time: TurnTime;
    send: (session: Session, bytes: Uint8Array) => void;
  }) {
    this.#streams = options.streams;
    this.#mapTable = options.mapTable;
    this.#requests = options.requests;
    this.#control = options.control;
    this.#audit = options.audit;
    this.#time = options.time;
    this.#send = options.send;
    this.#frame = new StreamFrame(options.clock);
  }

  query(session: Session, message: QueryMessage): void {
    const { requestId } = message;
    if (session.queries?.has(requestId) === true) {
      // Rows of this id would end the other query.
      const detail = `A query ${requestId} on this connection is under way.`;
      return this.#send(session, this.#control.error(Code.INVALID, { detail }));
    }
    const asked = this.#limitFault(session) ?? this.#permitted(session, message);
    if (asked instanceof Refusal)
      return this.#send(session, this.#control.rowsRefused(requestId, asked));
    const mapId = this.#mapTable.idOf(asked.map, 0, asked.map.length);
    if (mapId === NO_MAP) this.#send(session, this.#control.rowsDone(requestId, 0));
    else this.#begin({ session, requestId, mapId, asked });
  }

  /** Ends a query; one that has ended already is unknown. */
  cancel(session: Session, { requestId }: CancelQuery): void {
    const query = session.queries?.get(requestId);
    if (query === undefined) return;
    this.#end(query);
    this.#send(session, this.#control.rowsDone(requestId, query.count));
  }

  /** Ends all queries of a session that closes. */
  forget(session: Session): void {
    for (const query of [...(session.queries?.values() ?? [])]) this.#end(query);
  }

  onRows(
    delivery: QueryDelivery,
    stream: WorkerStream,
    words: Int32Array,
    wordBytes: Uint8Array,
    at: number,
  ): void {
    const { query } = delivery;
    const flags = words[at + RowsMessage.FLAGS];
    if ((flags & STREAM_TOO_LARGE) !== 0) {
      const detail = `The sorted rows are larger than ${QUERY_BYTES_MAX} bytes.`;
      return this.#fail(query, new Refusal(Code.TOO_LARGE, detail));
    }
    const isLast = (flags & STREAM_LAST) !== 0;
    if (isLast) {
      query.count += countOf(words, at);
      this.#streams.end(delivery, stream);
      if (delivery.streams.size === 0) query.deliveries.delete(delivery);
    }
    if (query.merge === undefined) this.#pass(delivery, stream, words, wordBytes, at);
    else {
      query.merge.add(stream.worker, sortedRowsOf(words, wordBytes, at), isLast);
      const unmerged = delivery.unmerged.get(stream) ?? 0;
      delivery.unmerged.set(stream, unmerged + words[at + RowsMessage.BYTES]);
      this.#merge(delivery, query.merge);
    }
    if (query.deliveries.size > 0 || !isUnderWay(query)) return;
    this.#end(query);
    this.#send(query.session, this.#control.rowsDone(query.requestId, query.count));
  }

  /** Begun anew if nobody can have seen rows that would come again; else it is over. */
  onLost(delivery: QueryDelivery, stream: WorkerStream): boolean {
    const { query } = delivery;
    if (!query.hasSent && !delivery.hasSent) {
      query.merge?.reset(stream.worker);
      delivery.unmerged.delete(stream);
      return true;
    }
    const detail = 'A worker has died while it answered; ask again.';
    this.#fail(query, new Refusal(Code.UNAVAILABLE, detail));
    return false;
  }

  /** What it asks for, as far as the session is permitted to. */
  #permitted(session: Session, message: QueryMessage): Asked | Refusal {
    const { authority } = session;
    const asked = askedOf(message);
    if (authority === undefined || asked instanceof Refusal) return asked;
    const permit = authority.permitsOn(message.map).read;
    if (permit === 'nothing') this.#audit.onDenied(session, message.map, 'read');
    return askedWithin(asked, permit);
  }

  #limitFault(session: Session): Refusal | undefined {
    if (this.isDraining) return new Refusal(Code.UNAVAILABLE);
    if ((session.queries?.size ?? 0) >= QUERIES_MAX)
      return new Refusal(Code.OVERLOADED, `At most ${QUERIES_MAX} queries at one time.`);
    return this.#requests.isFull ? new Refusal(Code.OVERLOADED) : undefined;
  }

  #begin(options: { session: Session; requestId: number; mapId: number; asked: Asked }): void {
    const { session, requestId, mapId, asked } = options;
    const workers = Array.from({ length: this.#requests.workers }, (_, worker) => worker);
    const isMerged = asked.limit > 0;
    const query: Query = {
      session,
      requestId,
      deliveries: new Set(),
      merge: isMerged ? new RowMerge(workers.length, asked.isDescending) : undefined,
      rowsLeft: asked.limit,
      count: 0,
      hasSent: false,
    };
    const { predicate, order, limit, flags } = asked;
    const credit = isMerged ? mergeCredit(workers.length) : STREAM_CREDIT_BYTES;
    const fields = { mapId, credit, nowMs: this.#time.nowMs, limit, flags, predicate, order };
    for (const together of isMerged ? [workers] : workers.map((worker) => [worker]))
      this.#deliver(query, together, fields);
    session.queries ??= new Map();
    session.queries.set(requestId, query);
  }

  #deliver(query: Query, workers: readonly number[], fields: QueryFields): void {
    const delivery = new QueryDelivery(query, { workers, fields, handler: this });
    query.deliveries.add(delivery);
    this.#streams.begin(delivery);
  }

  #pass(
    delivery: QueryDelivery,
    stream: WorkerStream,
    words: Int32Array,
    wordBytes: Uint8Array,
    at: number,
  ): void {
    const { query } = delivery;
    const length = words[at + RowsMessage.BYTES];
    if (length === 0) return;
    delivery.hasSent = true;
    const rows = this.#frame.rows(query.requestId, wordBytes, (at + RowsMessage.ROWS) * 4, length);
    this.#send(query.session, rows);
    if (isUnderWay(query) && delivery.streams.has(stream))
      this.#streams.took(delivery, stream, length);
  }

  #merge(delivery: QueryDelivery, merge: RowMerge): void {
    const { query } = delivery;
    for (let row = merge.take(); row !== undefined; row = merge.take())
      if (query.rowsLeft > 0) this.#add(query, row.event); // the rest is counted only
    this.#sendBuffer(query);
    if (!isUnderWay(query)) return;
    for (const stream of delivery.streams) {
      const bytes = delivery.unmerged.get(stream) ?? 0;
      if (bytes === 0 || !merge.isSpent(stream.worker)) continue;
      delivery.unmerged.delete(stream);
      this.#streams.took(delivery, stream, bytes);
    }
  }

  #add(query: Query, event: Uint8Array): void {
    query.rowsLeft--;
    if (!this.#buffer.hasRoom(event.length)) this.#sendBuffer(query);
    this.#buffer.append(event, 0, event.length);
  }

  #sendBuffer(query: Query): void {
    const { bytes, start, end } = this.#buffer;
    if (end === start) return;
    query.hasSent = true;
    this.#send(query.session, this.#frame.rows(query.requestId, bytes, start, end - start));
    this.#buffer.clear();
  }

  #fail(query: Query, refusal: Refusal): void {
    this.#end(query);
    this.#send(query.session, this.#control.rowsRefused(query.requestId, refusal));
  }

  #end(query: Query): void {
    const { session, requestId } = query;
    session.queries?.delete(requestId);
    if (session.queries?.size === 0) session.queries = undefined;
    for (const delivery of query.deliveries) this.#streams.cancel(delivery);
    query.deliveries.clear();
  }
}

function isUnderWay(query: Query): boolean {
  return query.session.queries?.get(query.requestId) === query;
}

function mergeCredit(workers: number): number {
  return Math.max(MERGE_CREDIT_BYTES_MIN, Math.floor(STREAM_CREDIT_BYTES / workers));
}
