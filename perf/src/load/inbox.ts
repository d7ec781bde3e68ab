/** Below this much room behind the unread bytes, they are moved to the front. */
const ROOM_BYTES_MIN: number = 16 * 1024;

/** The bytes received and not yet understood; the socket reads straight into it. */
export class Inbox {
  bytes: Buffer;
  from = 0;
  to = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }

  /** Where the socket may write next. */
  room(): Buffer {
    if (this.from === this.to) {
      this.from = 0;
      this.to = 0;
    } else if (this.bytes.length - this.to < ROOM_BYTES_MIN) this.#makeRoom();
    return this.bytes.subarray(this.to);
  }

  #makeRoom(): void {
    const unread = this.to - this.from;
    const isTight = this.bytes.length - unread < 2 * ROOM_BYTES_MIN;
    const target = isTight ? Buffer.allocUnsafeSlow(2 * this.bytes.length) : this.bytes;
    this.bytes.copy(target, 0, this.from, this.to);
    this.bytes = target;
    this.from = 0;
    this.to = unread;
  }
}
