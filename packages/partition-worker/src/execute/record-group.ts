import { GROUP_RECORDS_MAX, KEY_BYTES_MAX } from '@tidewire/core';
import {
  copyWords,
  GroupRecord,
  Operation,
  OperationExtension,
  RecordLayout,
} from '@tidewire/core/threads';
import { extensionOf, keyOf } from './request-fields.js';

const ENTRY_WORDS: number = Operation.KEY + RecordLayout.wordsOf(KEY_BYTES_MAX);
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Records that an EXECUTE names beside its own. */
export function otherCountOf(request: Int32Array, at: number): number {
  return request[extensionOf(request, at) + OperationExtension.OTHER_COUNT];
}

/**
 * The records that an EXECUTE names, each as an OPERATION of its own, without a value: for `find` and
 * for what follows. One group is read at a time.
 */
export class RecordGroup {
  /** The OPERATIONs; see `at`. */
  readonly words: Int32Array = new Int32Array(
    new SharedArrayBuffer(GROUP_RECORDS_MAX * ENTRY_WORDS * 4),
  );
  /** Keys as text, the operation's own first. */
  keys: string[] = [];

  get count(): number {
    return this.keys.length;
  }

  /** Where the OPERATION of record `i` begins. */
  at(i: number): number {
    return i * ENTRY_WORDS;
  }

  /** Reads the names. False: a record is named twice. */
  read(request: Int32Array, at: number): boolean {
    const lengths = request[at + Operation.LENGTHS];
    const keyLength = RecordLayout.keyLengthOf(lengths);
    const mapBits = request[at + Operation.MAP_KIND_FLAGS] & 0xffff0000;
    this.keys = [];
    this.#add(request, at, mapBits, request[at + Operation.HASH], at + Operation.KEY, keyLength);
    let other = extensionOf(request, at) + OperationExtension.WORDS;
    for (let left = otherCountOf(request, at); left > 0; left--) {
      const mapKeyLength = request[other + GroupRecord.MAP_KEY_LENGTH];
      const bytes = mapKeyLength & 0xffff;
      const key = other + GroupRecord.KEY;
      this.#add(
        request,
        at,
        mapKeyLength & 0xffff0000,
        request[other + GroupRecord.HASH],
        key,
        bytes,
      );
      other = key + RecordLayout.wordsOf(bytes);
    }
    return new Set(this.keys.map((key, i) => `${this.#mapIdAt(i)} ${key}`)).size === this.count;
  }

  #add(
    request: Int32Array,
    at: number,
    mapBits: number,
    hash: number,
    key: number,
    keyLength: number,
  ): void {
    const { words } = this;
    const entry = this.at(this.count);
    copyWords(request, at, words, entry, Operation.KEY);
    words[entry + Operation.HASH] = hash;
    words[entry + Operation.MAP_KIND_FLAGS] =
      mapBits | (request[at + Operation.MAP_KIND_FLAGS] & 0xffff);
    words[entry + Operation.LENGTHS] = RecordLayout.packLengths(keyLength, 0);
    const to = entry + Operation.KEY;
    copyWords(request, key, words, to, RecordLayout.wordsOf(keyLength));
    this.keys.push(decoder.decode(keyOf(words, entry)));
  }

  #mapIdAt(i: number): number {
    return this.words[this.at(i) + Operation.MAP_KIND_FLAGS] >>> 16;
  }
}
