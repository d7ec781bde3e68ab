import { type Code, hashOf, partitionOf } from '@tidewire/core';
import { ownerOf } from '@tidewire/core/threads';

/** When and by whom a record was written: the order of writes. */
export interface Stamp {
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
}

/** What a key has: an immutable picture of it. */
export interface Record<T = unknown> {
  readonly map: string;
  readonly key: string;
  /** Parsed JSON, or bytes if bytes were stored. */
  readonly value: T;
  readonly stamp: Stamp;
  readonly partition: number;
  /** Number of the change of its partition that made it. */
  readonly sequence: number;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAtMs: number;
}

/** A share of all keys, with one writer. Records of several maps with one key lie in one partition. */
export interface Partition {
  readonly id: number;
  /** The worker that owns it. */
  readonly worker: number;
}

/** The partition of a key, in whatever map. */
export function partitionOfKey(key: string, workers: number): Partition {
  const id = partitionOf(hashOf(new TextEncoder().encode(key)));
  return { id, worker: ownerOf(id, workers) };
}

export type EntryEventKind =
  /** Of a map or key. */
  | 'put'
  | 'remove'
  /** Of a predicate: the record has come to match, changed and still matches, matches no longer. */
  | 'enter'
  | 'update'
  | 'leave';

/** A change, as a subscriber hears of it. */
export interface EntryEvent<T = unknown> extends Omit<Record<T>, 'value'> {
  readonly kind: EntryEventKind;
  /** Undefined for `remove` and `leave`. */
  readonly value: T | undefined;
}

/** What became of an operation. */
export interface OperationResult {
  /** APPLIED, SUPERSEDED, DUPLICATE, FOUND or ABSENT. */
  readonly outcome: Code;
  /** The store has it. */
  readonly isDurable: boolean;
  readonly partition: number;
  /** Sequence and stamp of the record spoken of; 0: there is none. */
  readonly sequence: number;
  readonly stamp: Stamp;
  /** Of a get, of an update, and of a refusal that tells it. */
  readonly record: Record | undefined;
}
