import type { Readable } from 'node:stream';
import { RowDecoder } from './row-decoder.js';
import type { StoredRecord } from './store.js';

/** The rows of a COPY TO STDOUT in groups. While a group waits to be taken, no more is read. */
export class RowGroups {
  readonly #stream: Readable;
  readonly #groupMax: number;
  readonly #decoder: RowDecoder = new RowDecoder();
  #group: StoredRecord[] = [];
  #hasEnded = false;
  #error: Error | undefined;
  #onChange: () => void = () => {};

  constructor(stream: Readable, groupMax: number) {
    this.#stream = stream;
    this.#groupMax = groupMax;
    stream.on('data', (chunk: Buffer) => this.#onChunk(chunk));
    stream.on('end', () => {
      this.#hasEnded = true;
      this.#onChange();
    });
    stream.on('error', (error) => this.#fail(error));
  }

  /** Resolves with the next group, empty at the end. Rejects as the stream fails. */
  async next(): Promise<StoredRecord[]> {
    if (this.#group.length < this.#groupMax && !this.#hasEnded) {
      const changed = new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
      this.#stream.resume();
      await changed;
    }
    if (this.#error !== undefined) throw this.#error;
    const group = this.#group;
    this.#group = [];
    return group;
  }

  #onChunk(chunk: Buffer): void {
    try {
      this.#decoder.decode(chunk, this.#group);
    } catch (error) {
      this.#fail(error as Error);
    }
    if (this.#group.length < this.#groupMax) return;
    this.#stream.pause();
    this.#onChange();
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#onChange();
  }
}
