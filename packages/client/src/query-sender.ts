import { CLIENT_QUEUE_QUERIES_MAX, Code } from '@tidewire/core';
import type { Rows } from '@tidewire/schemas';
import { backoffMs } from './backoff.js';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import { TidewireError } from './error.js';
import { encodeCancelQuery, encodeQuery, type QueryFields } from './protocol.js';
import type { RowSink } from './row-sinks.js';
import type { ServerClock } from './server-clock.js';

/** A query from its call to its end. Each attempt has a request id of its own. */
interface PendingQuery {
  readonly fields: QueryFields;
  readonly sink: RowSink;
  /** 0: not under way. */
  requestId: number;
  attempt: number;
  /** Without any row until then it is given up. */
  deadlineMs: number;
  cancelDeadline: () => void;
  cancelPause: () => void;
}

interface SenderOptions {
  readonly connection: Connection;
  readonly clock: ServerClock;
  readonly environment: Environment;
  readonly timeoutMs: number;
}

const REQUEST_ID_MAX = 0xffffffff;

/**
 * Puts queries to the server, no more at once than it allows. One that finds no room, or loses its
 * connection, is put again as long as none of its rows has been given away.
 */
export class QuerySender {
  readonly #options: SenderOptions;
  /** All of them; the server has those with a request id. */
  readonly #queries = new Set<PendingQuery>();
  readonly #running = new Map<number, PendingQuery>();
  #waiting: PendingQuery[] = [];
  #lastRequestId = 0;
  #end: TidewireError | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /** `sink` is told of rows, then once of the end. The function returned calls it off. */
  submit(fields: QueryFields, sink: RowSink): () => void {
    const refusal = this.#end ?? this.#fullRefusal();
    if (refusal) {
      sink.fail(refusal);
      return () => {};
    }
    const nothing = (): void => {};
    const query: PendingQuery = {
      fields,
      sink,
      requestId: 0,
      attempt: 0,
      deadlineMs: 0,
      cancelDeadline: nothing,
      cancelPause: nothing,
    };
    this.#queries.add(query);
    this.#renewDeadline(query);
    this.#wait(query);
    return () => this.#callOff(query);
  }

  onReady(): void {
    this.#pump();
  }

  onLost(): void {
    const lost = [...this.#running.values()];
    this.#running.clear();
    for (const query of lost) {
      query.requestId = 0;
      if (query.sink.restart()) this.#waiting.push(query);
      else
        this.#fail(query, new TidewireError(Code.UNAVAILABLE, 'The connection was lost midway.'));
    }
  }

  onRows({ requestId, rows, isDone, count, refusal, detail, retryAfterMs }: Rows): void {
    const query = this.#running.get(requestId);
    if (query === undefined) return; // called off meanwhile
    if (rows.length > 0) this.#pass(query, rows);
    if (!isDone) return;
    this.#running.delete(requestId);
    query.requestId = 0;
    if (refusal !== Code.UNSPECIFIED)
      this.#onRefusal(query, new TidewireError(refusal, detail, { retryAfterMs }));
    else if (this.#forget(query)) query.sink.done(Number(count));
    this.#pump();
  }

  onEnd(error: TidewireError): void {
    this.#end = error;
    for (const query of [...this.#queries]) this.#fail(query, error);
  }

  #fullRefusal(): TidewireError | undefined {
    if (this.#queries.size < CLIENT_QUEUE_QUERIES_MAX) return undefined;
    return new TidewireError(Code.OVERLOADED, 'Too many queries wait in this client; try later.');
  }

  #wait(query: PendingQuery): void {
    this.#waiting.push(query);
    this.#pump();
  }

  #pump(): void {
    const { connection, clock } = this.#options;
    while (connection.isReady && this.#running.size < connection.server.limits.queriesMax) {
      const query = this.#waiting.shift();
      if (query === undefined) return;
      query.requestId = this.#nextRequestId();
      this.#running.set(query.requestId, query);
      connection.send(encodeQuery(clock.packed, query.requestId, query.fields));
    }
  }

  /** What the sink cannot hold ends the query. */
  #pass(query: PendingQuery, rows: Rows['rows']): void {
    this.#renewDeadline(query);
    try {
      query.sink.rows(rows);
    } catch (error) {
      if (!(error instanceof TidewireError)) throw error;
      this.#giveUp(query, error);
    }
  }

  /** Put again after a pause, if it may be and there is time for it. */
  #onRefusal(query: PendingQuery, error: TidewireError): void {
    const { environment } = this.#options;
    const pauseMs = Math.max(error.retryAfterMs, backoffMs(query.attempt++, environment.random()));
    const isInTime = environment.monotonicMs() + pauseMs < query.deadlineMs;
    if (!isTransient(error.code) || !isInTime || !query.sink.restart()) this.#fail(query, error);
    else query.cancelPause = environment.startTimer(() => this.#wait(query), pauseMs);
  }

  #renewDeadline(query: PendingQuery): void {
    const { environment, timeoutMs } = this.#options;
    query.cancelDeadline();
    query.deadlineMs = environment.monotonicMs() + timeoutMs;
    query.cancelDeadline = environment.startTimer(() => {
      const reason = `There was no answer within ${timeoutMs} ms.`;
      this.#giveUp(query, new TidewireError(Code.UNAVAILABLE, reason));
    }, timeoutMs);
  }

  #giveUp(query: PendingQuery, error: TidewireError): void {
    this.#callOff(query);
    query.sink.fail(error);
  }

  #callOff(query: PendingQuery): void {
    const { connection, clock } = this.#options;
    const { requestId } = query;
    if (!this.#forget(query) || requestId === 0) return;
    connection.send(encodeCancelQuery(clock.packed, requestId));
    this.#pump();
  }

  #fail(query: PendingQuery, error: TidewireError): void {
    if (this.#forget(query)) query.sink.fail(error);
  }

  /** False if it had ended before. */
  #forget(query: PendingQuery): boolean {
    query.cancelDeadline();
    query.cancelPause();
    this.#running.delete(query.requestId);
    this.#waiting = this.#waiting.filter((other) => other !== query);
    return this.#queries.delete(query);
  }

  #nextRequestId(): number {
    do this.#lastRequestId = this.#lastRequestId === REQUEST_ID_MAX ? 1 : this.#lastRequestId + 1;
    while (this.#running.has(this.#lastRequestId));
    return this.#lastRequestId;
  }
}

function isTransient(code: Code): boolean {
  return code === Code.OVERLOADED || code === Code.UNAVAILABLE;
}
