/** For browsers, and for any platform with a `WebSocket` of its own. */

export {
  Code,
  type Predicate,
  PredicateError,
  PredicateTextError,
  parsePredicate,
} from '@tidewire/core';
export { type Client, type ClientOptions, connect } from './client.js';
export type { ConnectionState } from './connection.js';
export type { Entry, StoredKind } from './entry.js';
export {
  type Environment,
  platformEnvironment,
  type Socket,
  type SocketConstructor,
} from './environment.js';
export { nameOf, TidewireError } from './error.js';
export type { EntryEvent, QueryEvent } from './event.js';
export type { ServerInfo } from './link.js';
export type { LiveListener, LiveOptions, LiveView } from './live-view.js';
export type { Where } from './predicate.js';
export type { FetchOptions } from './query.js';
export { and, type Fields, not, or, type TestsOf, where } from './query-builder.js';
export type { Stamp } from './stamp.js';
export type {
  EventHandler,
  From,
  QueryHandler,
  QueryOptions,
  SubscribeOptions,
  Subscription,
} from './subscription.js';
export type { TokenSource } from './token-source.js';
export type { PutOptions, TypedMap, WriteOptions } from './typed-map.js';
export type { AppendOptions, ExecuteOptions, RecordPlace, UpdateOptions } from './update.js';
export type { Outcome, ReachedLevel, WriteResult } from './write-result.js';
