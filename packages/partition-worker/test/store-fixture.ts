import { KEY_BYTES_MAX, partitionOf } from '@tidewire/core';
import { Operation, RecordLayout } from '@tidewire/core/threads';
import { ABSENT, type RecordStore } from '#lib/store/record-store.js';

const VALUE_BYTES_MAX = 1 << 20;
const { FLAG_EXPIRES, FLAG_KIND_SHIFT, FLAG_TOMBSTONE } = RecordLayout;

export interface Key {
  readonly hash: number;
  readonly mapId: number;
  readonly length: number;
  /** Zero-padded. */
  readonly words: Int32Array;
}

/** A write of a value of `length` bytes made from `seed`. */
export interface Write {
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
  readonly kind: number;
  readonly length: number;
  readonly seed: number;
  readonly expiresAt: number;
  readonly isTombstone: boolean;
}

/** Xorshift; the same seed gives the same run. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

/** Hashes that fall into `partition`. */
export function hashesIn(partition: number, count: number): number[] {
  const hashes: number[] = [];
  for (let hash = 12_345; hashes.length < count; hash = (Math.imul(hash, 1_664_525) + 1) | 0)
    if (partitionOf(hash) === partition) hashes.push(hash);
  return hashes;
}

const buffer = new SharedArrayBuffer(4 * Operation.KEY + KEY_BYTES_MAX + VALUE_BYTES_MAX);
/** One OPERATION at index 0, as it lies in a request ring. */
export const request: Int32Array = new Int32Array(buffer);

export function findKey(store: RecordStore, key: Key): number {
  request.set(key.words, Operation.KEY);
  const partition = partitionOf(key.hash);
  return store.find(partition, key.mapId, key.hash, request, Operation.KEY, key.length);
}

/** Writes whatever stands; the order of writes is the executor's business. */
export function putKey(store: RecordStore, key: Key, write: Write, position: number): number {
  const old = findKey(store, key);
  fillRequest(key, write);
  return store.put(old, request, 0, partitionOf(key.hash), flagsOf(write), position);
}

/** As `putKey`, as part of a group. */
export function addKey(store: RecordStore, key: Key, write: Write): boolean {
  const old = findKey(store, key);
  fillRequest(key, write);
  return store.addToGroup(old, request, 0, partitionOf(key.hash), flagsOf(write));
}

/** True if there was something to remove. */
export function removeKey(store: RecordStore, key: Key): boolean {
  const record = findKey(store, key);
  if (record !== ABSENT) store.remove(record);
  return record !== ABSENT;
}

/** A record image of the write, at index 0 of the result. */
export function imageOf(key: Key, write: Write, sequence: number): Int32Array {
  const length = write.isTombstone ? 0 : write.length;
  const count = RecordLayout.imageWordsFor(key.length, write.expiresAt !== 0, length);
  const image = new Int32Array(new SharedArrayBuffer(count * 4));
  image[RecordLayout.HASH] = key.hash;
  image[RecordLayout.MAP_COUNTER] = (key.mapId << 16) | write.counter;
  image[RecordLayout.MS_LOW] = RecordLayout.lowWord(write.ms);
  image[RecordLayout.NODE_FLAGS] = (write.node << 8) | flagsOf(write);
  image[RecordLayout.SEQUENCE_LOW] = RecordLayout.lowWord(sequence);
  image[RecordLayout.MS_HIGH_SEQUENCE_HIGH] =
    (RecordLayout.highWord(write.ms) << 16) | RecordLayout.highWord(sequence);
  image[RecordLayout.LENGTHS] = RecordLayout.packLengths(key.length, length);
  image.set(key.words, RecordLayout.HEADER_WORDS);
  if (write.expiresAt !== 0) {
    const at = RecordLayout.HEADER_WORDS + key.words.length;
    image[at] = RecordLayout.lowWord(write.expiresAt);
    image[at + 1] = RecordLayout.highWord(write.expiresAt);
  }
  fillValue(image, RecordLayout.valueIndex(image, 0), length, write.seed);
  return image;
}

/** Everything that reading a record gives, as text. */
export function describe(words: Int32Array, record: number): string {
  const length = RecordLayout.valueLengthOf(words[record + RecordLayout.LENGTHS]);
  const value = RecordLayout.valueIndex(words, record);
  let sum = 7;
  for (let i = 0; i < RecordLayout.wordsOf(length); i++)
    sum = (Math.imul(sum, 31) + words[value + i]) | 0;
  return [
    RecordLayout.stampMsOf(words, record),
    RecordLayout.stampCounterOf(words, record),
    RecordLayout.nodeOf(words, record),
    RecordLayout.isTombstone(words, record),
    RecordLayout.valueKindOf(words, record),
    RecordLayout.expiresAtOf(words, record),
    RecordLayout.sequenceOf(words, record),
    length,
    sum,
  ].join(' ');
}

/** The state of a key in the store, as text. */
export function stateOf(store: RecordStore, key: Key): string {
  const record = findKey(store, key);
  return record === ABSENT ? 'absent' : describe(store.words, record);
}

/** What `stateOf` has to be after the write. */
export function stateAfter(key: Key, write: Write, sequence: number): string {
  return describe(imageOf(key, write, sequence), 0);
}

function fillRequest(key: Key, write: Write): void {
  request[Operation.HASH] = key.hash;
  request[Operation.MAP_KIND_FLAGS] = (key.mapId << 16) | 0x0101;
  request[Operation.MS_LOW] = RecordLayout.lowWord(write.ms);
  request[Operation.MS_HIGH_COUNTER] = (RecordLayout.highWord(write.ms) << 16) | write.counter;
  request[Operation.NODE_VALUE_KIND] = (write.node << 8) | write.kind;
  request[Operation.LENGTHS] = RecordLayout.packLengths(key.length, write.length);
  request[Operation.EXPIRES_LOW] = RecordLayout.lowWord(write.expiresAt);
  request[Operation.EXPIRES_HIGH] = RecordLayout.highWord(write.expiresAt);
  request.set(key.words, Operation.KEY);
  fillValue(request, Operation.KEY + key.words.length, write.length, write.seed);
}

function flagsOf(write: Write): number {
  return (
    (write.isTombstone ? FLAG_TOMBSTONE : 0) |
    (write.expiresAt !== 0 ? FLAG_EXPIRES : 0) |
    (write.kind << FLAG_KIND_SHIFT)
  );
}

function fillValue(words: Int32Array, at: number, length: number, seed: number): void {
  for (let i = 0; i < RecordLayout.wordsOf(length); i++)
    words[at + i] = (seed + Math.imul(i, 77)) | 0;
}
