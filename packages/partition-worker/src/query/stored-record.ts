import { isUtf8 } from 'node:buffer';
import { NOT_JSON, type QueriedRecord } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import { ValueKind } from '@tidewire/schemas';

/** What a decoder puts where bytes are not UTF-8. */
const REPLACEMENT = '\ufffd';
const UNREAD: unique symbol = Symbol('unread');

/** A record of the store as predicates see it. Key and value are read when asked for, once. */
export class StoredRecord implements QueriedRecord {
  readonly #words: Int32Array;
  readonly #bytes: Buffer;
  #record = 0;
  #key: string | typeof UNREAD = UNREAD;
  #value: unknown = UNREAD;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#bytes = Buffer.from(words.buffer);
  }

  /** Turns to another record: of one that was replaced all words but the first must stand. */
  turnTo(record: number): this {
    this.#record = record;
    this.#key = UNREAD;
    this.#value = UNREAD;
    return this;
  }

  get key(): string {
    if (this.#key === UNREAD) {
      const length = RecordLayout.keyLengthOf(this.#words[this.#record + RecordLayout.LENGTHS]);
      this.#key = this.#text(RecordLayout.keyIndex(this.#record), length);
    }
    return this.#key;
  }

  get stampMs(): number {
    return RecordLayout.stampMsOf(this.#words, this.#record);
  }

  get value(): unknown {
    if (this.#value === UNREAD) this.#value = this.#parse();
    return this.#value;
  }

  #parse(): unknown {
    if (RecordLayout.valueKindOf(this.#words, this.#record) === ValueKind.BYTES) return NOT_JSON;
    const length = RecordLayout.valueLengthOf(this.#words[this.#record + RecordLayout.LENGTHS]);
    const index = RecordLayout.valueIndex(this.#words, this.#record);
    return jsonAt(this.#bytes, index * 4, length);
  }

  #text(index: number, length: number): string {
    return this.#bytes.toString('utf8', index * 4, index * 4 + length);
  }
}

/** The value of that text, NOT_JSON if it is none. */
export function jsonAt(bytes: Buffer, offset: number, length: number): unknown {
  const text = bytes.toString('utf8', offset, offset + length);
  if (text.includes(REPLACEMENT) && !isUtf8(bytes.subarray(offset, offset + length)))
    return NOT_JSON;
  try {
    return JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
}
