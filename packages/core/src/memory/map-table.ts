import { assert } from '../assert.js';
import { MAP_BYTES_MAX, MAPS_LENT_MAX, MAPS_MAX } from '../limits.js';
import { hashOf } from '../partition-hash.js';

/** Who has an id of a map that nobody has written. */
interface Lent {
  isWatched: boolean;
  /** Writes into it are under way. */
  isBeingWritten: boolean;
}

const COUNT = 0;
const HEADER_BYTES = 64;
const ENTRY_BYTES: number = MAP_BYTES_MAX + 4; // length in a word, then the name

export const MAP_TABLE_BYTES: number = HEADER_BYTES + MAPS_MAX * ENTRY_BYTES;

/** `idOf` knows no such map. */
export const NO_MAP = -1;
/** There is no id left. */
export const MAPS_FULL = -2;
/** `lend` has lent as many as may be lent. */
export const MAPS_LENT = -3;

/**
 * Map names and their 16-bit ids, in shared memory.
 * Writer: the persistence thread until recovery has ended, the gateway from then on. A reader sees
 * an entry once COUNT includes it. From the first write into its map on an entry never changes; before
 * that an id is only lent to those who watch the map or try to write it, and goes to another one once they
 * have gone. So
 * readers, who meet ids in records, find the names by `nameOf`. Looking up allocates nothing.
 */
export class MapTable {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;
  readonly #slots: Int32Array = new Int32Array(MAPS_MAX * 2).fill(NO_MAP); // by hash, open addressing
  readonly #names: Map<number, string> = new Map(); // of what `nameOf` was asked for
  /** Given by `lend` and `lendToWriter`, and not written. */
  readonly #lent: Map<number, Lent> = new Map();
  #watched = 0; // of these
  readonly #free: number[] = []; // given back
  #known = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#bytes = new Uint8Array(buffer);
  }

  get count(): number {
    return Atomics.load(this.#words, COUNT);
  }

  /**
   * Id of the map named by `bytes[offset, offset + length)`, or NO_MAP: nobody has written it, and no write
   * into it is under way.
   */
  idOf(bytes: Uint8Array, offset: number, length: number): number {
    const id = this.#lookUp(bytes, offset, length);
    if (this.#lent.size === 0) return id;
    return this.#lent.get(id)?.isBeingWritten === false ? NO_MAP : id;
  }

  /** Id of a map that is about to be written, a new one if need be; MAPS_FULL if there is none left. */
  register(bytes: Uint8Array, offset: number, length: number): number {
    const known = this.#lookUp(bytes, offset, length);
    if (known === NO_MAP) return this.#enter(bytes, offset, length);
    this.keep(known);
    return known;
  }

  /** The map has been written: it has its id for good. */
  keep(id: number): void {
    if (this.#lent.get(id)?.isWatched === true) this.#watched--;
    this.#lent.delete(id);
  }

  /** Id of a map that is about to be watched, written or not; else MAPS_FULL or MAPS_LENT. */
  lend(bytes: Uint8Array, offset: number, length: number): number {
    const known = this.#lookUp(bytes, offset, length);
    const lent = this.#lent.get(known);
    if (known !== NO_MAP && lent?.isWatched !== false) return known;
    if (this.#watched >= MAPS_LENT_MAX) return MAPS_LENT;
    const id = known === NO_MAP ? this.#enter(bytes, offset, length) : known;
    if (id === MAPS_FULL) return id;
    this.#lent.set(id, { isWatched: true, isBeingWritten: lent?.isBeingWritten ?? false });
    this.#watched++;
    return id;
  }

  /** Id of a map that may be about to be written for the first time; else MAPS_FULL. */
  lendToWriter(bytes: Uint8Array, offset: number, length: number): number {
    const known = this.#lookUp(bytes, offset, length);
    const lent = this.#lent.get(known);
    if (lent !== undefined) lent.isBeingWritten = true;
    if (known !== NO_MAP) return known;
    const id = this.#enter(bytes, offset, length);
    if (id !== MAPS_FULL) this.#lent.set(id, { isWatched: false, isBeingWritten: true });
    return id;
  }

  /** Nobody watches the map any more: unless it has been written, or is being, its id is free. */
  giveBack(id: number): void {
    const lent = this.#lent.get(id);
    if (lent?.isWatched !== true) return;
    lent.isWatched = false;
    this.#watched--;
    if (!lent.isBeingWritten) this.#release(id);
  }

  /** Every write was refused: unless the map has been written, or is watched, its id is free. */
  giveBackByWriter(id: number): void {
    const lent = this.#lent.get(id);
    if (lent === undefined) return;
    lent.isBeingWritten = false;
    if (!lent.isWatched) this.#release(id);
  }

  nameOf(id: number): string {
    assert(id >= 0 && id < this.count, 'unknown map id'); // acquire
    const known = this.#names.get(id);
    if (known !== undefined) return known;
    const at = HEADER_BYTES + id * ENTRY_BYTES + 4;
    const bytes = this.#bytes.slice(at, at + this.#words[(at >> 2) - 1]);
    const name = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    this.#names.set(id, name);
    return name;
  }

  #release(id: number): void {
    this.#lent.delete(id);
    this.#vacate(this.#slotOf(id));
    this.#free.push(id);
  }

  #lookUp(bytes: Uint8Array, offset: number, length: number): number {
    this.#learn();
    return this.#slots[this.#find(bytes, offset, length)];
  }

  #enter(bytes: Uint8Array, offset: number, length: number): number {
    assert(length >= 1 && length <= MAP_BYTES_MAX, 'map name length');
    const id = this.#free.pop() ?? this.count;
    if (id === MAPS_MAX) return MAPS_FULL;
    const at = HEADER_BYTES + id * ENTRY_BYTES;
    this.#names.delete(id); // of an earlier map
    this.#words[at >> 2] = length;
    this.#bytes.set(bytes.subarray(offset, offset + length), at + 4);
    this.#slots[this.#find(bytes, offset, length)] = id;
    if (id < this.count) return id; // a record of it reaches its readers by rings, which release
    Atomics.store(this.#words, COUNT, id + 1); // release: the entry is complete
    this.#known = id + 1;
    return id;
  }

  #slotOf(id: number): number {
    const at = HEADER_BYTES + id * ENTRY_BYTES;
    return this.#find(this.#bytes, at + 4, this.#words[at >> 2]);
  }

  /** Empties a slot and moves up what was put behind it for want of a place (Knuth 6.4, R). */
  #vacate(slot: number): void {
    const mask = this.#slots.length - 1;
    let empty = slot;
    this.#slots[empty] = NO_MAP;
    for (let i = (slot + 1) & mask; this.#slots[i] !== NO_MAP; i = (i + 1) & mask) {
      const at = HEADER_BYTES + this.#slots[i] * ENTRY_BYTES;
      const wanted = hashOf(this.#bytes, at + 4, this.#words[at >> 2]) & mask;
      if (((i - wanted) & mask) < ((i - empty) & mask)) continue; // the empty one is before its place
      this.#slots[empty] = this.#slots[i];
      this.#slots[i] = NO_MAP;
      empty = i;
    }
  }

  /** Takes in entries that another thread has appended. */
  #learn(): void {
    const count = this.count; // acquire
    for (; this.#known < count; this.#known++) {
      const at = HEADER_BYTES + this.#known * ENTRY_BYTES;
      const length = this.#words[at >> 2];
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
