import { assert, FRAME_BUFFER_BYTES, FRAME_BUFFERS_MAX } from '@tidewire/core';
import { copyBytes, FRAME_HEAD_BYTES_MAX } from '@tidewire/core/threads';

/** Entries of one frame being put together; the head is written before them when it is sent. */
export class FrameBuffer {
  readonly bytes: Uint8Array = new Uint8Array(FRAME_HEAD_BYTES_MAX + FRAME_BUFFER_BYTES);
  end: number = FRAME_HEAD_BYTES_MAX;

  get start(): number {
    return FRAME_HEAD_BYTES_MAX;
  }

  hasRoom(length: number): boolean {
    return this.end + length <= this.bytes.length;
  }

  /** Appends and returns the offset at which the entry lies. */
  append(source: Uint8Array, offset: number, length: number): number {
    const at = this.end;
    this.end = copyBytes(source, offset, length, this.bytes, at);
    return at;
  }

  clear(): void {
    this.end = this.start;
  }
}

/** The frame buffers of one purpose: FRAME_BUFFERS_MAX of them, made when first needed. */
export class FramePool<B extends FrameBuffer> {
  readonly #make: () => B;
  readonly #free: B[] = [];
  #made = 0;

  constructor(make: () => B) {
    this.#make = make;
  }

  get isExhausted(): boolean {
    return this.#free.length === 0 && this.#made === FRAME_BUFFERS_MAX;
  }

  /** REQUIRES: not exhausted. */
  take(): B {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    assert(this.#made < FRAME_BUFFERS_MAX, 'frame buffers are flushed before they run out');
    this.#made++;
    return this.#make();
  }

  give(buffer: B): void {
    buffer.clear();
    this.#free.push(buffer);
  }
}
