import { hashOf, partitionOf } from '@tidewire/core';
import type { StoredRecord } from '#lib/store.js';

const encoder = new TextEncoder();

/** A put of `key`; what is not said has a value that tests may rely on to be the lowest. */
export function record(key: string, fields: Partial<StoredRecord> = {}): StoredRecord {
  return {
    map: 'users',
    key,
    value: encoder.encode('{"n":1}'),
    kind: 1,
    ms: 1_700_000_000_000,
    counter: 0,
    node: 0,
    partition: partitionOf(hashOf(encoder.encode(key))),
    sequence: 1,
    expiresAt: 0,
    deleted: false,
    ...fields,
  };
}

export function removal(key: string, fields: Partial<StoredRecord> = {}): StoredRecord {
  return record(key, { value: new Uint8Array(0), kind: 0, deleted: true, ...fields });
}

export function text(value: string): Uint8Array {
  return encoder.encode(value);
}

/** Ascending by map and key, as `flush` requires. */
export function sorted(records: StoredRecord[]): StoredRecord[] {
  const id = ({ map, key }: StoredRecord): string => `${map}\0${key}`;
  return records.sort((a, b) => (id(a) < id(b) ? -1 : 1));
}

/** What the vectors want back bit for bit: values by a name, and keys. */
export const VALUES: Readonly<Record<string, Uint8Array>> = {
  'duplicate keys': text('{"a":1,"a":2}'),
  'escaped nul': text('"\\u0000"'),
  'lone surrogate': text('"\\ud800"'),
  'beyond double': text('1e400'),
  'negative zero': text('-0'),
  '30 digits': text('123456789012345678901234567890'),
  'key order': text('{"z":1,"a":2, "m" :3}'),
  'deep arrays': text('['.repeat(10_000) + ']'.repeat(10_000)),
  empty: new Uint8Array(0),
  'every byte': Uint8Array.from({ length: 256 }, (_, byte) => byte),
  'invalid UTF-8': Uint8Array.of(0xff, 0xfe, 0x00, 0x5c, 0x22),
};
export const KEYS: readonly string[] = [
  '%',
  '/',
  'a,b{c}"d"\\e',
  'NULL',
  '😀',
  '日本',
  ' ',
  '\n\t',
  'k'.repeat(1024),
  '😀'.repeat(256),
];
