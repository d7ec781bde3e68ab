import { FailedError } from './io.js';
import type { Piece } from './line-splitter.js';
import { RECORD_BYTES_MAX } from './reading.js';

const LINE_FEED = 0x0a;
const SPACE = 0x20;
const QUOTE = 0x22;
const COMMA = 0x2c;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

type Place = 'before' | 'first' | 'next' | 'element' | 'after';

/**
 * Cuts a stream of bytes that is one JSON array into its elements, by brackets and quotes alone:
 * whether an element is JSON is seen later. Throws FailedError where no array can be made out.
 */
export class ArraySplitter {
  #place: Place = 'before';
  #line = 1;
  #depth = 0;
  #inString = false;
  #escaped = false;
  #elementLine = 0;
  #parts: Uint8Array[] = [];
  #partsBytes = 0;

  push(chunk: Uint8Array): Piece[] {
    const pieces: Piece[] = [];
    let start = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i];
      if (this.#place !== 'element') {
        if (byte > SPACE && this.#step(byte)) start = i;
      }
      if (this.#place === 'element' && this.#endsElement(byte)) {
        this.#keep(chunk.subarray(start, i));
        pieces.push(this.#take());
        this.#place = byte === COMMA ? 'next' : 'after';
      }
      if (byte === LINE_FEED) this.#line++;
    }
    if (this.#place === 'element') this.#keep(chunk.subarray(start));
    return pieces;
  }

  end(): Piece[] {
    if (this.#place === 'after') return [];
    if (this.#place === 'element')
      throw new FailedError(
        `the file ends within the record that begins at line ${this.#elementLine}`,
      );
    throw new FailedError('the file is not a whole JSON array: its end is missing');
  }

  /** One byte outside of elements. True if an element begins with it. */
  #step(byte: number): boolean {
    if (this.#place === 'before' && byte === OPEN_BRACKET) {
      this.#place = 'first';
      return false;
    }
    if (this.#place === 'first' && byte === CLOSE_BRACKET) {
      this.#place = 'after';
      return false;
    }
    const mayBegin = this.#place === 'first' || this.#place === 'next';
    if (!mayBegin || byte === COMMA || byte === CLOSE_BRACKET)
      throw new FailedError(`line ${this.#line} is no place for "${String.fromCharCode(byte)}"`);
    this.#place = 'element';
    this.#elementLine = this.#line;
    return true;
  }

  /** One byte of an element, or the comma or bracket behind it: then true. */
  #endsElement(byte: number): boolean {
    if (this.#inString) {
      if (this.#escaped) this.#escaped = false;
      else if (byte === BACKSLASH) this.#escaped = true;
      else if (byte === QUOTE) this.#inString = false;
      return false;
    }
    if (this.#depth === 0 && (byte === COMMA || byte === CLOSE_BRACKET)) return true;
    if (byte === QUOTE) this.#inString = true;
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) this.#depth++;
    else if ((byte === CLOSE_BRACE || byte === CLOSE_BRACKET) && this.#depth > 0) this.#depth--;
    return false;
  }

  #keep(part: Uint8Array): void {
    this.#partsBytes += part.length;
    if (this.#partsBytes > RECORD_BYTES_MAX) this.#parts = [];
    else this.#parts.push(part);
  }

  #take(): Piece {
    const tooLong = this.#partsBytes > RECORD_BYTES_MAX;
    const bytes = Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partsBytes = 0;
    return { line: this.#elementLine, bytes: tooLong ? undefined : bytes };
  }
}
