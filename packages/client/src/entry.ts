import { Code, unpackStamp } from '@tidewire/core';
import { type Event, ValueKind } from '@tidewire/schemas';
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
    return parsedValue(this.key, this.bytes, this.storedAs) as T;
  }

  /** The record with its value in the place of the bytes. @throws as `value`. */
  toJSON(): object {
    const { key, value, stamp, partition, sequence, expiresAtMs } = this;
    return { key, value, stamp, partition, sequence, expiresAtMs };
  }
}

/** What `console.log` of Node shows. Never throws: a value that is no JSON is shown as its bytes. */
Object.defineProperty(Entry.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value(this: Entry<unknown>): object {
    try {
      return this.toJSON();
    } catch {
      return { ...this };
    }
  },
});

/** The value that `bytes` stand for; undefined for none. @throws as `Entry.value`. */
export function parsedValue(key: string, bytes: Uint8Array, storedAs: StoredKind): unknown {
  if (storedAs === 'bytes') return bytes;
  if (storedAs === 'none') return undefined;
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw new TidewireError(Code.INVALID, `The value of key "${key}" is not valid JSON.`);
  }
}

/** A record as an event or a row carries it. */
export function entryFieldsOf(event: Event): EntryFields {
  return {
    key: event.key,
    bytes: event.value,
    kind: storedKindOf(event.valueKind),
    stamp: { ...unpackStamp(event.stamp), node: event.node },
    partition: event.partition,
    sequence: Number(event.sequence),
    expiresAtMs: Number(event.expiresAtMs),
  };
}

export function storedKindOf(kind: ValueKind): StoredKind {
  return kind === ValueKind.BYTES ? 'bytes' : 'json';
}
