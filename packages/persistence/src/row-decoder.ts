import { ROW_COLUMNS } from './postgres-rows.js';
import { type StoredRecord, StoreError } from './store.js';

const HEADER_BYTES = 19;
const EXTENSION_LENGTH_AT = 15;
const COUNT_BYTES = 2;
const LENGTH_BYTES = 4;
// Numbers of a row, from the end of its value; each has its length before it.
const KIND_AT = 4;
const HLC_AT: number = KIND_AT + 2 + 4;
const NODE_AT: number = HLC_AT + 8 + 4;
const PARTITION_AT: number = NODE_AT + 4 + 4;
const SEQUENCE_AT: number = PARTITION_AT + 2 + 4;
const EXPIRY_AT: number = SEQUENCE_AT + 8 + 4;
const NONE: Buffer = Buffer.alloc(0);
const LOW_RANGE = 0x1_0000_0000;
const STAMP_MS_RANGE = 0x1_0000;

/**
 * Reads rows in the order of ROW_COLUMNS from what `COPY … TO STDOUT (FORMAT binary)` sends, however it
 * is cut. Values are views of the chunks. Throws StoreError where the bytes are not such rows.
 */
export class RowDecoder {
  #rest: Buffer = NONE;
  #hasHeader = false;
  #bytes: Buffer = NONE;
  #at = 0;
  #map = '';
  #mapBytes: Buffer = NONE;

  /** Adds the rows that end in this chunk to `target`. */
  decode(chunk: Buffer, target: StoredRecord[]): void {
    this.#bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#at = 0;
    if (!this.#hasHeader && !this.#skipHeader()) return this.#keepRest();
    while (this.#isWhole()) target.push(this.#row());
    this.#keepRest();
  }

  #skipHeader(): boolean {
    if (this.#bytes.length < HEADER_BYTES) return false;
    const end = HEADER_BYTES + this.#bytes.readInt32BE(EXTENSION_LENGTH_AT);
    if (this.#bytes.length < end) return false;
    this.#at = end;
    this.#hasHeader = true;
    return true;
  }

  #keepRest(): void {
    this.#rest = this.#at === this.#bytes.length ? NONE : this.#bytes.subarray(this.#at);
  }

  /** True if a whole row lies ahead; the trailer, a count of −1, is none. */
  #isWhole(): boolean {
    const bytes = this.#bytes;
    let at = this.#at + COUNT_BYTES;
    if (at > bytes.length) return false;
    const count = bytes.readInt16BE(this.#at);
    if (count === -1) {
      this.#at = at;
      return false;
    }
    if (count !== ROW_COLUMNS.length)
      throw new StoreError('FOREIGN', `The database sent a row of ${count} columns.`);
    for (let column = 0; column < count; column++) {
      if (at + LENGTH_BYTES > bytes.length) return false;
      at += LENGTH_BYTES + Math.max(0, bytes.readInt32BE(at));
    }
    return at <= bytes.length;
  }

  /** REQUIRES: a whole row lies ahead. */
  #row(): StoredRecord {
    this.#at += COUNT_BYTES;
    const map = this.#nextMap();
    const keyLength = this.#nextLength();
    const key = this.#bytes.toString('utf8', this.#at, this.#at + keyLength);
    this.#at += keyLength;
    const valueLength = this.#nextLength();
    const value = this.#bytes.subarray(this.#at, this.#at + valueLength);
    this.#at += valueLength;
    return { map, key, value, ...this.#numbers() };
  }

  #numbers(): Omit<StoredRecord, 'map' | 'key' | 'value'> {
    const bytes = this.#bytes;
    const at = this.#at;
    const stampLow = bytes.readUInt32BE(at + HLC_AT + 4);
    const expires = bytes.readInt32BE(at + EXPIRY_AT - LENGTH_BYTES) > 0;
    const deletedAt = at + EXPIRY_AT + (expires ? 8 : 0) + LENGTH_BYTES;
    this.#at = deletedAt + 1;
    return {
      kind: bytes.readInt16BE(at + KIND_AT),
      ms: bytes.readInt32BE(at + HLC_AT) * STAMP_MS_RANGE + Math.floor(stampLow / STAMP_MS_RANGE),
      counter: stampLow % STAMP_MS_RANGE,
      node: bytes.readInt32BE(at + NODE_AT),
      partition: bytes.readInt16BE(at + PARTITION_AT),
      sequence: this.#int64(at + SEQUENCE_AT),
      expiresAt: expires ? this.#int64(at + EXPIRY_AT) : 0,
      deleted: bytes[deletedAt] !== 0,
    };
  }

  #int64(at: number): number {
    return this.#bytes.readInt32BE(at) * LOW_RANGE + this.#bytes.readUInt32BE(at + 4);
  }

  #nextLength(): number {
    const length = this.#bytes.readInt32BE(this.#at);
    this.#at += LENGTH_BYTES;
    return length;
  }

  /** Neighbours are mostly of one map: its name is made once. */
  #nextMap(): string {
    const length = this.#nextLength();
    const at = this.#at;
    this.#at += length;
    const known = this.#mapBytes;
    let isKnown = known.length === length;
    for (let i = 0; isKnown && i < length; i++) isKnown = known[i] === this.#bytes[at + i];
    if (isKnown) return this.#map;
    this.#mapBytes = Buffer.from(this.#bytes.subarray(at, at + length));
    this.#map = this.#mapBytes.toString('utf8');
    return this.#map;
  }
}
