import {
  beginEventGroup,
  endEventGroup,
  GROUP_HEAD_BYTES_MAX,
  writeEventGroupsHead,
  writeSingleGroupHead,
} from '@tidewire/core/threads';
import { FrameBuffer } from '../frame-buffer.js';

/**
 * Events of several topics being put together to one frame: a group for each run of one topic. What
 * has a single group leaves as a frame of Events.
 */
export class EventGroups extends FrameBuffer {
  /** Of the group under way; no topic has number 0. */
  #topic = 0;
  #groupAt = 0;
  #groups = 0;

  override hasRoom(length: number): boolean {
    return super.hasRoom(length + GROUP_HEAD_BYTES_MAX);
  }

  /** Appends an entry of Events. REQUIRES: room for it. */
  appendOn(topic: number, source: Uint8Array, offset: number, length: number): void {
    if (topic !== this.#topic) this.#begin(topic);
    this.append(source, offset, length);
  }

  /** The frame, a view. REQUIRES: an entry. */
  frame(clockMs: number, clockCounter: number): Uint8Array {
    const { bytes, start, end } = this;
    this.#endGroup();
    const writeHead = this.#groups === 1 ? writeSingleGroupHead : writeEventGroupsHead;
    return bytes.subarray(writeHead(bytes, start, end, clockMs, clockCounter), end);
  }

  override clear(): void {
    super.clear();
    this.#topic = 0;
    this.#groups = 0;
  }

  #begin(topic: number): void {
    this.#endGroup();
    this.#topic = topic;
    this.#groupAt = this.end;
    this.#groups++;
    this.end = beginEventGroup(this.bytes, this.end, topic);
  }

  #endGroup(): void {
    if (this.#groups > 0) endEventGroup(this.bytes, this.#groupAt, this.end);
  }
}
