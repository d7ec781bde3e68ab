import { Code, unpackStamp } from '@tidewire/core';
import { type Event, EventKind, ValueKind } from '@tidewire/schemas';
import { TidewireError } from './error.js';
import type { Stamp } from './stamp.js';

/** How a value is stored: JSON text, opaque bytes, or none at all (a removal). */
export type StoredKind = 'json' | 'bytes' | 'none';

export interface EntryFields {
  readonly key: string;
  readonly bytes: Uint8Array;
  readonly kind: StoredKind;
  readonly stamp: Stamp;
  readonly partition: number;
  readonly sequence: number;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAtMs: number;
}

const decoder = new TextDecoder('utf-8', { fatal: true });

/** A record as the server holds it. */
export class Entry<T> {
  readonly key: string;
  /** The stored value, bit for bit. */
  readonly bytes: Uint8Array;
  readonly storedAs: StoredKind;
  readonly stamp: Stamp;
  readonly partition: number;
  /** The partition's number of the change that made it; comparable within one epoch. */
  readonly sequence: number;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAtMs: number;

  constructor(fields: EntryFields) {
    this.key = fields.key;
    this.bytes = fields.bytes;
    this.storedAs = fields.kind;
    this.stamp = fields.stamp;
    this.partition = fields.partition;
    this.sequence = fields.sequence;
    this.expiresAtMs = fields.expiresAtMs;
  }

  /**
   * The value: parsed on each access if stored as JSON, the bytes themselves if stored as bytes.
   * @throws TidewireError INVALID if stored as JSON and no JSON (the server does not check).
   */
  get value(): T {
    if (this.storedAs === 'bytes') return this.bytes as T;
    if (this.storedAs === 'none') return undefined as T;
    try {
      return JSON.parse(decoder.decode(this.bytes)) as T;
    } catch {
      throw new TidewireError(Code.INVALID, `The value of key "${this.key}" is not valid JSON.`);
    }
  }
}

/** A change, as subscribers hear of it. A removal has no value. */
export class EntryEvent<T> extends Entry<T | undefined> {
  readonly kind: 'put' | 'remove';

  constructor(kind: 'put' | 'remove', fields: EntryFields) {
    super(fields);
    this.kind = kind;
  }
}

/** @throws TidewireError INVALID if the kind of event is unknown. */
export function entryEventOf(event: Event): EntryEvent<unknown> {
  if (event.kind !== EventKind.PUT && event.kind !== EventKind.REMOVE)
    throw new TidewireError(Code.INVALID, `The server sent an event of kind ${event.kind}.`);
  const removed = event.kind === EventKind.REMOVE;
  const storedAs = event.valueKind === ValueKind.BYTES ? 'bytes' : 'json';
  return new EntryEvent(removed ? 'remove' : 'put', {
    key: event.key,
    bytes: event.value,
    kind: removed ? 'none' : storedAs,
    stamp: { ...unpackStamp(event.stamp), node: event.node },
    partition: event.partition,
    sequence: Number(event.sequence),
    expiresAtMs: Number(event.expiresAtMs),
  });
}
