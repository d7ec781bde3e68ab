import { type HybridLogicalClock, RING_BYTES, RING_RECORD_DIVISOR } from '@tidewire/core';
import {
  copyBytes,
  STREAM_HEAD_BYTES_MAX,
  writeCatchUpHead,
  writeRowsHead,
} from '@tidewire/core/threads';

/** A frame around bytes that a worker has written; valid until the next one is made. */
export class StreamFrame {
  readonly #clock: HybridLogicalClock;
  readonly #bytes: Uint8Array = new Uint8Array(
    STREAM_HEAD_BYTES_MAX + RING_BYTES / RING_RECORD_DIVISOR,
  );

  constructor(clock: HybridLogicalClock) {
    this.#clock = clock;
  }

  /** CatchUp with the slices at `source[offset, offset + length)`. */
  catchUp(
    head: { subscriptionId: number; isDone: boolean },
    source: Uint8Array,
    offset: number,
    length: number,
  ): Uint8Array {
    const end = this.#copy(source, offset, length);
    const start = writeCatchUpHead(this.#bytes, STREAM_HEAD_BYTES_MAX, end, head, this.#clock);
    return this.#bytes.subarray(start, end);
  }

  /** Rows with the events at `source[offset, offset + length)`. */
  rows(requestId: number, source: Uint8Array, offset: number, length: number): Uint8Array {
    const end = this.#copy(source, offset, length);
    const start = writeRowsHead(this.#bytes, STREAM_HEAD_BYTES_MAX, end, requestId, this.#clock);
    return this.#bytes.subarray(start, end);
  }

  #copy(source: Uint8Array, offset: number, length: number): number {
    return copyBytes(source, offset, length, this.#bytes, STREAM_HEAD_BYTES_MAX);
  }
}
