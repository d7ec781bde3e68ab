import { RECORD_BYTES_MAX } from './reading.js';

/** A stretch of a file; without bytes it was longer than a record may be. */
export interface Piece {
  /** Of its first byte, from 1. */
  readonly line: number;
  readonly bytes: Uint8Array | undefined;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** Cuts a stream of bytes into lines without their ends; blank ones are left out. */
export class LineSplitter {
  #line = 1;
  #parts: Uint8Array[] = [];
  #partsBytes = 0;

  push(chunk: Uint8Array): Piece[] {
    const pieces: Piece[] = [];
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end >= 0; end = chunk.indexOf(LINE_FEED, start)) {
      this.#keep(chunk.subarray(start, end));
      pieces.push(...this.end());
      this.#line++;
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return pieces;
  }

  /** The last line, if it is not blank. */
  end(): Piece[] {
    const { line, bytes } = this.#take();
    if (bytes === undefined) return [{ line, bytes }];
    const text = bytes.at(-1) === CARRIAGE_RETURN ? bytes.subarray(0, -1) : bytes;
    return text.some((byte) => byte > 0x20) ? [{ line, bytes: text }] : [];
  }

  #keep(part: Uint8Array): void {
    this.#partsBytes += part.length;
    if (this.#partsBytes > RECORD_BYTES_MAX) this.#parts = [];
    else this.#parts.push(part);
  }

  #take(): Piece {
    const tooLong = this.#partsBytes > RECORD_BYTES_MAX;
    const bytes = this.#parts.length === 1 ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#partsBytes = 0;
    return { line: this.#line, bytes: tooLong ? undefined : bytes };
  }
}
