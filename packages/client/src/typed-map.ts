import { Code, TTL_MS_MAX } from '@tidewire/core';
import type { Result } from '@tidewire/schemas';
import type { Connection } from './connection.js';
import { Entry, entryFieldsOf } from './entry.js';
import type { Environment } from './environment.js';
import { TidewireError } from './error.js';
import { type EntryEvent, entryEventOf, type QueryEvent, queryEventOf } from './event.js';
import type { Change } from './held-records.js';
import type { InterestFields } from './interest.js';
import { type InterestOptions, interestFieldsOf } from './interest-fields.js';
import { type LiveOptions, type LiveView, openLiveView } from './live-view.js';
import { nameBytes, utf8Of } from './name.js';
import type { OperationDraft, OperationSender } from './operation-sender.js';
import type { Where } from './predicate.js';
import type { Presence } from './presence.js';
import type { QueryFields } from './protocol.js';
import { type FetchOptions, queryFieldsOf } from './query.js';
import type { QuerySender } from './query-sender.js';
import { entryOf, updatedEntryOf } from './result.js';
import { RowCollection, RowQueue } from './row-sinks.js';
import type { ServerClock } from './server-clock.js';
import { checkedStamp, type Stamp } from './stamp.js';
import type { Subscriber } from './subscriber.js';
import type {
  EventHandler,
  QueryHandler,
  QueryOptions,
  SubscribeOptions,
  Subscription,
} from './subscription.js';
import {
  type AppendOptions,
  argumentBytes,
  type ExecuteOptions,
  guardOf,
  type RecordPlace,
  type UpdateKind,
  type UpdateOptions,
} from './update.js';
import type { WriteLog } from './write-log.js';
import type { WriteResult } from './write-result.js';

export interface WriteOptions {
  /** Answer only once the database has it, not already when memory has. */
  readonly safe?: boolean;
  /** The write's own time instead of now; a write repeated under its stamp is harmless. */
  readonly stamp?: Stamp;
  /** Only if the record has this stamp; else PRECONDITION. */
  readonly ifStamp?: Stamp;
}

export interface PutOptions extends WriteOptions {
  /** Milliseconds from the stamp on after which the record counts as removed. */
  readonly ttlMs?: number;
  /** Only if the key has no value; else PRECONDITION. */
  readonly ifAbsent?: boolean;
  /**
   * The server removes the record once this client has gone for longer than a grace time, unless another
   * write has taken its place. Not together with a condition or a foreign stamp.
   */
  readonly whileConnected?: boolean;
}

interface MapParts {
  readonly environment: Environment;
  readonly connection: Connection;
  readonly clock: ServerClock;
  readonly sender: OperationSender;
  readonly log: WriteLog;
  readonly presence: Presence;
  readonly querySender: QuerySender;
  readonly subscriber: Subscriber;
}

/** The part of an operation that its kind makes. */
type Write = Pick<OperationDraft, 'kind' | 'key' | 'value' | 'storedAs' | 'processor' | 'others'>;

/** What a name takes on the wire beside its bytes. */
const NAME_OVERHEAD_BYTES = 12;

const NO_BYTES: Uint8Array = new Uint8Array(0);

/**
 * One map of the server, with values of type `T`; nothing checks that what others stored has it.
 *
 * Writes are stamped at the call, whenever they are sent. A promise rejects with a TidewireError
 * for a refusal; a connection lost in between is no refusal: the operation is sent again.
 */
export class TypedMap<T> {
  readonly name: string;
  readonly #parts: MapParts;

  constructor(name: string, parts: MapParts) {
    this.name = name;
    this.#parts = parts;
  }

  /** Stores `value` as JSON. */
  async put(key: string, value: T, options: PutOptions = {}): Promise<WriteResult> {
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined) throw new TidewireError(Code.INVALID, 'This value has no JSON form.');
    return this.putJson(key, text, options);
  }

  /** Stores JSON text as it stands, bit for bit; nobody checks that it is JSON. */
  async putJson(
    key: string,
    text: string | Uint8Array,
    options: PutOptions = {},
  ): Promise<WriteResult> {
    const value = typeof text === 'string' ? utf8Of(text) : text;
    return this.#write({ kind: 'put', key, value, storedAs: 'json' }, options);
  }

  /** Stores opaque bytes. They must not change before the promise settles. */
  async putBytes(key: string, value: Uint8Array, options: PutOptions = {}): Promise<WriteResult> {
    return this.#write({ kind: 'put', key, value, storedAs: 'bytes' }, options);
  }

  async remove(key: string, options: WriteOptions = {}): Promise<WriteResult> {
    return this.#write({ kind: 'remove', key, value: NO_BYTES, storedAs: 'json' }, options);
  }

  /** Adds `by` to the number that stands, 0 if there is none; integers exactly, of any length. */
  async increment(
    key: string,
    by: number | bigint = 1,
    options: UpdateOptions = {},
  ): Promise<Entry<T>> {
    return this.#update('increment', key, by, options);
  }

  /** Leaves the smaller of `bound` and the number that stands. */
  async minimum(
    key: string,
    bound: number | bigint,
    options: UpdateOptions = {},
  ): Promise<Entry<T>> {
    return this.#update('minimum', key, bound, options);
  }

  /** Leaves the larger of `bound` and the number that stands. */
  async maximum(
    key: string,
    bound: number | bigint,
    options: UpdateOptions = {},
  ): Promise<Entry<T>> {
    return this.#update('maximum', key, bound, options);
  }

  /** JSON merge patch (RFC 7396): members of `patch` replace those that stand, null removes them. */
  async merge(key: string, patch: unknown, options: UpdateOptions = {}): Promise<Entry<T>> {
    return this.#update('merge', key, patch, options);
  }

  /** Adds `element` to the end of the array that stands, and keeps the last `keep` of them. */
  async append(key: string, element: unknown, options: AppendOptions = {}): Promise<Entry<T>> {
    return this.#update('append', key, element, options);
  }

  /**
   * Runs a processor that the server was started with on the record, in the thread that owns it.
   * Resolves with what it left; undefined: no record.
   * @throws TidewireError FAILED for what it throws: nothing has changed.
   */
  async execute(
    key: string,
    processor: string,
    argument?: unknown,
    options: ExecuteOptions = {},
  ): Promise<Entry<T> | undefined> {
    const value = argument === undefined ? NO_BYTES : argumentBytes(argument);
    const { others } = options;
    const write = { kind: 'execute', key, value, storedAs: 'json', processor, others } as const;
    return this.#submitUpdate(write, options);
  }

  /** The record under `key`, or undefined. */
  async get(key: string): Promise<Entry<T> | undefined> {
    const draft: OperationDraft = {
      ...this.#target(key),
      kind: 'get',
      value: NO_BYTES,
      storedAs: 'json',
      stamp: undefined,
      ttlMs: 0,
      safe: false,
    };
    return this.#parts.sender.submit(draft, (result) => entryOf<T>(key, result));
  }

  /**
   * Hears of every change, in order for each key; resolves when that has begun. After a lost connection
   * the subscription goes on where it was: of a key that changed meanwhile its latest state is told.
   */
  async subscribe(handler: EventHandler<T>, options: SubscribeOptions = {}): Promise<Subscription> {
    const onChange = (change: Change): void => handler(entryEventOf(change) as EntryEvent<T>);
    const fields = this.#interestFields({ from: 'now', ...options });
    return this.#parts.subscriber.subscribe(fields, onChange, options);
  }

  /**
   * A continuous query: hears of the records for which `where` holds, first those that stand, then of
   * each that comes to match, changes, or matches no longer.
   */
  async query(
    where: Where<T>,
    handler: QueryHandler<T>,
    options: QueryOptions = {},
  ): Promise<Subscription> {
    const onChange = (change: Change): void => handler(queryEventOf(change) as QueryEvent<T>);
    const fields = this.#interestFields({ from: 'snapshot', ...options, where });
    return this.#parts.subscriber.subscribe(fields, onChange, options);
  }

  /** The records as they stand, kept up to date; resolves when all are there. */
  async live(options: LiveOptions<T> = {}): Promise<LiveView<T>> {
    const { environment, subscriber } = this.#parts;
    const reportError = (error: unknown): void => environment.reportError(error);
    const fields = this.#interestFields({ ...options, from: 'snapshot' });
    return openLiveView({ subscriber, reportError }, fields, options);
  }

  /**
   * The records as they stand.
   * @throws TidewireError TOO_LARGE if they are more than this client holds: `list` them.
   */
  async fetch(options: FetchOptions<T> = {}): Promise<Entry<T>[]> {
    const { rows } = await this.#collect(this.#queryFields(options));
    return rows.map((row) => new Entry<T>(entryFieldsOf(row)));
  }

  /**
   * The records as they stand, one after the other: for more of them than should be held at once.
   * Leaving the loop ends the query. A connection lost after the first record ends it too: UNAVAILABLE.
   */
  async *list(options: FetchOptions<T> = {}): AsyncGenerator<Entry<T>, void, undefined> {
    const queue = new RowQueue();
    const callOff = this.#parts.querySender.submit(this.#queryFields(options), queue);
    try {
      for (let rows = await queue.take(); rows; rows = await queue.take())
        for (const row of rows) yield new Entry<T>(entryFieldsOf(row));
    } finally {
      callOff();
    }
  }

  /** How many records there are. */
  async count({ where }: Pick<FetchOptions<T>, 'where'> = {}): Promise<number> {
    const fields = { ...this.#queryFields({ where }), countOnly: true };
    return (await this.#collect(fields)).count;
  }

  #interestFields(options: InterestOptions<T>): InterestFields {
    return interestFieldsOf(this.name, options, this.#parts.connection.server.limits);
  }

  #queryFields(options: FetchOptions<T>): QueryFields {
    const { limits } = this.#parts.connection.server;
    nameBytes('map', this.name, limits.mapBytesMax);
    return queryFieldsOf(this.name, options, limits);
  }

  #collect(fields: QueryFields): RowCollection['whole'] {
    const collection = new RowCollection();
    this.#parts.querySender.submit(fields, collection);
    return collection.whole;
  }

  #write(write: Write, options: PutOptions): Promise<WriteResult> {
    const { log, presence, clock } = this.#parts;
    const own = options.stamp === undefined ? clock.tick() : checkedStamp(options.stamp);
    const draft = { ...this.#draft(write, options), stamp: own };
    if (draft.whileConnected && (draft.guard !== undefined || own.node !== clock.node))
      throw new TidewireError(
        Code.INVALID,
        'whileConnected stands with no condition or foreign node.',
      );
    return presence.submit(draft, () => log.submit(draft));
  }

  /** Without a stamp: the server gives it one above the record's. */
  async #update(
    kind: UpdateKind,
    key: string,
    argument: unknown,
    options: AppendOptions,
  ): Promise<Entry<T>> {
    const value = argumentBytes(argument);
    const update = { kind, key, value, storedAs: 'json' } as const;
    const updated = await this.#submitUpdate(update, options);
    if (updated) return updated;
    throw new TidewireError(Code.ABSENT, 'The update was applied; the record is gone by now.');
  }

  /** An answer without a value is completed by a get. */
  async #submitUpdate(update: Write, options: AppendOptions): Promise<Entry<T> | undefined> {
    const { key } = update;
    const draft = this.#draft(update, options);
    this.#parts.presence.forget(draft);
    const read = (result: Result): Entry<T> | undefined => updatedEntryOf<T>(key, result);
    return (await this.#parts.sender.submit(draft, read)) ?? this.get(key);
  }

  #draft(write: Write, options: PutOptions & AppendOptions): OperationDraft {
    const target = this.#target(write.key, write.others);
    checkValue(write.value, this.#parts.connection.server.limits.valueBytesMax);
    if (options.ifStamp !== undefined) checkedStamp(options.ifStamp);
    return {
      ...write,
      ...target,
      stamp: undefined,
      ttlMs: options.ttlMs === undefined ? 0 : checkedTtl(options.ttlMs),
      safe: options.safe ?? false,
      whileConnected: options.whileConnected ?? false,
      guard: guardOf(options),
    };
  }

  #target(
    key: string,
    others: readonly RecordPlace[] = [],
  ): Pick<OperationDraft, 'map' | 'key' | 'nameBytes'> {
    const { limits } = this.#parts.connection.server;
    const bytesOf = ({ map, key }: RecordPlace): number =>
      nameBytes('map', map, limits.mapBytesMax) + nameBytes('key', key, limits.keyBytesMax);
    const own = bytesOf({ map: this.name, key });
    const bytes = others.reduce((sum, other) => sum + bytesOf(other) + NAME_OVERHEAD_BYTES, own);
    return { map: this.name, key, nameBytes: bytes };
  }
}

function checkValue(value: Uint8Array, bytesMax: number): void {
  if (value.length <= bytesMax) return;
  throw new TidewireError(
    Code.TOO_LARGE,
    `The value has ${value.length} bytes, limit ${bytesMax}.`,
  );
}

function checkedTtl(ttlMs: number): number {
  if (Number.isSafeInteger(ttlMs) && ttlMs >= 1 && ttlMs <= TTL_MS_MAX) return ttlMs;
  throw new TidewireError(Code.INVALID, `A ttlMs of ${ttlMs} is not 1 to ${TTL_MS_MAX}, whole.`);
}
