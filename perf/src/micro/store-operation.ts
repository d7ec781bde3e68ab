import { hashOf, partitionOf } from '@tidewire/core';
import { bytesToWords, Operation, RecordLayout } from '@tidewire/core/threads';
import type { RecordStore } from '@tidewire/partition-worker/store';
import { OperationKind, ValueKind } from '@tidewire/schemas';
import { KEY_BYTES, valueText, writeKey } from '../load/operation-template.js';

const VALUE_BYTES = 100;
const VALUE: Uint8Array = Buffer.from(valueText(VALUE_BYTES, '00000000'));
const KEY_WORDS: number = KEY_BYTES / 4;

/** A put as it lies in a request ring: 16-byte key, 100-byte value, stamps that rise. */
export class StoreOperation {
  readonly words: Int32Array;
  readonly at = 0;
  hash = 0;
  readonly #bytes: Uint8Array;
  readonly #key: Uint8Array = new Uint8Array(KEY_BYTES);
  #stamp = 0;

  constructor() {
    const buffer = new SharedArrayBuffer(1024); // as in a ring: one kind of buffer for the store
    this.words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
    this.words[Operation.MAP_KIND_FLAGS] = OperationKind.PUT << 8;
    this.words[Operation.NODE_VALUE_KIND] = (1 << 8) | ValueKind.JSON;
    this.words[Operation.LENGTHS] = RecordLayout.packLengths(KEY_BYTES, VALUE.length);
    const value = Operation.KEY + KEY_WORDS;
    bytesToWords(VALUE, 0, VALUE.length, this.words, this.#bytes, value);
  }

  /** Makes it a put of key number `key`, newer than all before. */
  aim(key: number): void {
    writeKey(this.#key, 0, key);
    this.hash = hashOf(this.#key);
    this.words[Operation.HASH] = this.hash;
    bytesToWords(this.#key, 0, KEY_BYTES, this.words, this.#bytes, Operation.KEY);
    this.words[Operation.MS_LOW] = ++this.#stamp;
  }

  /** The record of key number `key`, or 0. */
  find(store: RecordStore, key: number): number {
    this.aim(key);
    const { words, at, hash } = this;
    return store.find(partitionOf(hash), 0, hash, words, at + Operation.KEY, KEY_BYTES);
  }

  /** Puts key number `key`; returns the new record, or 0 if the store is full. */
  write(store: RecordStore, key: number): number {
    const old = this.find(store, key);
    return store.put(old, this.words, this.at, partitionOf(this.hash), STORE_FLAGS, 0);
  }
}

/** Flags of the record that the put makes. */
export const STORE_FLAGS: number = ValueKind.JSON << RecordLayout.FLAG_KIND_SHIFT;
