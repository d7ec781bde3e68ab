import { assert } from '../assert.js';
import { MAP_BYTES_MAX, MAPS_MAX } from '../limits.js';
import { hashOf } from '../partition-hash.js';

const COUNT = 0;
const HEADER_BYTES = 64;
const ENTRY_BYTES: number = MAP_BYTES_MAX + 4; // length in a word, then the name

export const MAP_TABLE_BYTES: number = HEADER_BYTES + MAPS_MAX * ENTRY_BYTES;

/** `idOf` knows no such map. */
export const NO_MAP = -1;
/** `register` found the table full. */
export const MAPS_FULL = -2;

/**
 * Map names and their 16-bit ids, append-only in shared memory.
 * Writer: the persistence thread until recovery has ended, the gateway from then on. A reader sees
 * an entry once COUNT includes it, and entries never change. Looking up allocates nothing.
 */
export class MapTable {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #slots: Int32Array = new Int32Array(MAPS_MAX * 2).fill(NO_MAP); // by hash, open addressing
  readonly #names: string[] = [];
  #known = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
  }

  get count(): number {
    return Atomics.load(this.#words, COUNT);
  }

  /** Id of the map named by `bytes[offset, offset + length)`, or NO_MAP. */
  idOf(bytes: Uint8Array, offset: number, length: number): number {
    this.#learn();
    return this.#slots[this.#find(bytes, offset, length)];
  }

  /** As `idOf`, giving an unknown map the next id; MAPS_FULL if there is none left. */
  register(bytes: Uint8Array, offset: number, length: number): number {
    const known = this.idOf(bytes, offset, length);
    if (known !== NO_MAP) return known;
    const id = this.count;
    if (id === MAPS_MAX) return MAPS_FULL;
    assert(length >= 1 && length <= MAP_BYTES_MAX, 'map name length');
    const at = HEADER_BYTES + id * ENTRY_BYTES;
    this.#words[at >> 2] = length;
    this.#bytes.set(bytes.subarray(offset, offset + length), at + 4);
    Atomics.store(this.#words, COUNT, id + 1); // release: the entry is complete
    this.#learn();
    return id;
  }

  nameOf(id: number): string {
    this.#learn();
    assert(id >= 0 && id < this.#known, 'unknown map id');
    return this.#names[id];
  }

  /** Takes in entries that another thread has appended. */
  #learn(): void {
    const count = this.count; // acquire
    for (; this.#known < count; this.#known++) {
      const at = HEADER_BYTES + this.#known * ENTRY_BYTES;
      const length = this.#words[at >> 2];
      this.#names.push(new TextDecoder().decode(this.#bytes.slice(at + 4, at + 4 + length)));
      this.#slots[this.#find(this.#bytes, at + 4, length)] = this.#known;
    }
  }

  #find(bytes: Uint8Array, offset: number, length: number): number {
    const mask = this.#slots.length - 1;
    let slot = hashOf(bytes, offset, length) & mask;
    while (this.#slots[slot] !== NO_MAP && !this.#isNamed(this.#slots[slot], bytes, offset, length))
      slot = (slot + 1) & mask;
    return slot;
  }

  #isNamed(id: number, bytes: Uint8Array, offset: number, length: number): boolean {
    const at = HEADER_BYTES + id * ENTRY_BYTES;
    if (this.#words[at >> 2] !== length) return false;
    for (let i = 0; i < length; i++)
      if (this.#bytes[at + 4 + i] !== bytes[offset + i]) return false;
    return true;
  }
}
