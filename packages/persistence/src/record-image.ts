import { assert } from '@tidewire/core';
import { bytesToWords, type MapTable, RecordLayout } from '@tidewire/core/threads';
import type { StoredRecord } from './store.js';

/** Reads record images (see record-layout.ts of core) from a buffer that others write. */
export class ImageReader {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  readonly #maps: MapTable;

  constructor(buffer: SharedArrayBuffer, maps: MapTable) {
    this.#words = new Int32Array(buffer);
    this.#bytes = Buffer.from(buffer);
    this.#maps = maps;
  }

  /** The record at word `at`, copied. `partition` is not part of an image. */
  read(at: number, partition: number): StoredRecord {
    const words = this.#words;
    const lengths = words[at + RecordLayout.LENGTHS];
    const keyAt = RecordLayout.keyIndex(at) * 4;
    const valueAt = RecordLayout.valueIndex(words, at) * 4;
    const value = Buffer.allocUnsafe(RecordLayout.valueLengthOf(lengths));
    this.#bytes.copy(value, 0, valueAt, valueAt + value.length);
    return {
      map: this.#maps.nameOf(RecordLayout.mapIdOf(words, at)),
      key: this.#bytes.toString('utf8', keyAt, keyAt + RecordLayout.keyLengthOf(lengths)),
      value,
      kind: RecordLayout.storedKindOf(words, at),
      ms: RecordLayout.stampMsOf(words, at),
      counter: RecordLayout.stampCounterOf(words, at),
      node: RecordLayout.nodeOf(words, at),
      partition,
      sequence: RecordLayout.sequenceOf(words, at),
      expiresAt: RecordLayout.expiresAtOf(words, at),
      deleted: RecordLayout.isTombstone(words, at),
    };
  }
}

/** What the table does not say of a record and its image needs. */
export interface ImageKey {
  readonly mapId: number;
  readonly hash: number;
  /** The key's UTF-8 bytes are the first `keyLength` of it. */
  readonly keyBytes: Uint8Array;
  readonly keyLength: number;
}

export function imageWordsOf(record: StoredRecord, keyLength: number): number {
  return RecordLayout.imageWordsFor(keyLength, record.expiresAt !== 0, record.value.length);
}

/** Writes the image of a record at word `at`; `words` and `bytes` are two views of one buffer. */
export function writeImage(
  record: StoredRecord,
  key: ImageKey,
  target: { readonly words: Int32Array; readonly bytes: Uint8Array },
  at: number,
): void {
  const { words, bytes } = target;
  const { keyLength } = key;
  const { value, ms, sequence } = record;
  words[at + RecordLayout.HASH] = key.hash;
  words[at + RecordLayout.MAP_COUNTER] = (key.mapId << 16) | record.counter;
  words[at + RecordLayout.MS_LOW] = RecordLayout.lowWord(ms);
  words[at + RecordLayout.NODE_FLAGS] = (record.node << 8) | flagsOf(record);
  words[at + RecordLayout.SEQUENCE_LOW] = RecordLayout.lowWord(sequence);
  words[at + RecordLayout.MS_HIGH_SEQUENCE_HIGH] =
    (RecordLayout.highWord(ms) << 16) | RecordLayout.highWord(sequence);
  words[at + RecordLayout.LENGTHS] = RecordLayout.packLengths(keyLength, value.length);
  const keyAt = RecordLayout.keyIndex(at);
  bytesToWords(key.keyBytes, 0, keyLength, words, bytes, keyAt);
  if (record.expiresAt !== 0) {
    const expiryAt = keyAt + RecordLayout.wordsOf(keyLength);
    words[expiryAt] = RecordLayout.lowWord(record.expiresAt);
    words[expiryAt + 1] = RecordLayout.highWord(record.expiresAt);
  }
  bytesToWords(value, 0, value.length, words, bytes, RecordLayout.valueIndex(words, at));
  assert(RecordLayout.sequenceOf(words, at) === sequence, 'a sequence has 48 bits');
}

function flagsOf(record: StoredRecord): number {
  return (
    (record.deleted ? RecordLayout.FLAG_TOMBSTONE : 0) |
    (record.expiresAt !== 0 ? RecordLayout.FLAG_EXPIRES : 0) |
    (record.kind << RecordLayout.FLAG_KIND_SHIFT)
  );
}
