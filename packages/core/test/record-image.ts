import { copyWords } from '#lib/memory/lanes.js';
import * as Layout from '#lib/memory/record-layout.js';
import { hashOf } from '#lib/partition-hash.js';

/** What a record image is made from. */
export interface RecordFields {
  key: Uint8Array;
  value: Uint8Array;
  valueKind: number;
  isTombstone: boolean;
  ms: number;
  counter: number;
  node: number;
  sequence: number;
  expiresAtMs: number;
}

/** Memory with one record in it, as a writer is given it. */
export interface RecordMemory {
  words: Int32Array;
  wordBytes: Uint8Array;
  record: number;
}

/** Lays `fields` out as record-layout.ts says, behind `record` words of other things. */
export function recordImage(fields: RecordFields, record = 3): RecordMemory {
  const { key, value, ms, sequence } = fields;
  const expires = fields.expiresAtMs !== 0;
  const length = Layout.imageWordsFor(key.length, expires, value.length);
  const words = new Int32Array(new SharedArrayBuffer((record + length) * 4));
  const wordBytes = new Uint8Array(words.buffer);
  const flags =
    (fields.isTombstone ? Layout.FLAG_TOMBSTONE : 0) |
    (expires ? Layout.FLAG_EXPIRES : 0) |
    (fields.valueKind << Layout.FLAG_KIND_SHIFT);
  const header = Int32Array.of(
    hashOf(key),
    (9 << 16) | fields.counter,
    Layout.lowWord(ms),
    (fields.node << 8) | flags,
    Layout.lowWord(sequence),
    (Layout.highWord(ms) << 16) | Layout.highWord(sequence),
    Layout.packLengths(key.length, value.length),
  );
  copyWords(header, 0, words, record, header.length);
  wordBytes.set(key, Layout.keyIndex(record) * 4);
  const valueIndex = Layout.valueIndex(words, record);
  if (expires) {
    words[valueIndex - 2] = Layout.lowWord(fields.expiresAtMs);
    words[valueIndex - 1] = Layout.highWord(fields.expiresAtMs);
  }
  wordBytes.set(value, valueIndex * 4);
  return { words, wordBytes, record };
}
