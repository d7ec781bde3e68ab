import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { fromBinary } from '@bufbuild/protobuf';
import { type ServerFrame, ServerFrameSchema } from '@tidewire/schemas';

const BINARY = 0x82;
const CLOSE = 0x88;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;
const HEADERS_END = '\r\n\r\n';

/**
 * A WebSocket client of the plainest kind (RFC 6455), as one who attacks would write it: it says
 * any bytes, reads frames and the close code, and leaves by a reset. The masking key is 0.
 */
export class HostileSocket {
  readonly frames: ServerFrame[] = [];
  /** Settles with the close code, or 1006 if the connection ended without one. */
  readonly closed: Promise<number>;
  readonly #socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #isOpen = false;
  #closeCode = 1006;
  #onFrame: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.#onBytes(bytes));
    socket.on('error', () => {}); // `close` follows
    this.closed = once(socket, 'close').then(() => this.#closeCode);
  }

  static async open(port: number): Promise<HostileSocket> {
    const socket = new HostileSocket(connect(port, '127.0.0.1'));
    socket.#socket.write(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==${HEADERS_END}`,
    );
    await socket.#look(() => socket.#isOpen);
    return socket;
  }

  say(...messages: Uint8Array[]): void {
    this.#socket.write(Buffer.concat(messages.map(messageOf)));
  }

  /** Says bytes that need be no message. */
  sayRaw(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Resolves true once a frame is as wanted, false if the connection ends before. */
  async heard(isWanted: (frame: ServerFrame) => boolean): Promise<boolean> {
    return await this.#look(() => this.frames.some(isWanted));
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  async #look(condition: () => boolean): Promise<boolean> {
    if (condition()) return true;
    return await new Promise<boolean>((resolve) => {
      this.#onFrame = () => {
        if (condition()) resolve(true);
      };
      void this.closed.then(() => resolve(condition()));
    });
  }

  #onBytes(bytes: Buffer): void {
    this.#bytes = this.#bytes.length === 0 ? bytes : Buffer.concat([this.#bytes, bytes]);
    if (!this.#isOpen) {
      const end = this.#bytes.indexOf(HEADERS_END);
      if (end < 0) return;
      this.#isOpen = this.#bytes.subarray(0, 12).toString() === 'HTTP/1.1 101';
      this.#bytes = this.#bytes.subarray(end + HEADERS_END.length);
    }
    while (this.#takeMessage());
    this.#onFrame();
  }

  #takeMessage(): boolean {
    const bytes = this.#bytes;
    if (bytes.length < 2) return false;
    const short = bytes[1];
    const head = short === LENGTH_64 ? 10 : short === LENGTH_16 ? 4 : 2;
    if (bytes.length < head) return false;
    const length =
      head === 10 ? Number(bytes.readBigUInt64BE(2)) : head === 4 ? bytes.readUInt16BE(2) : short;
    if (bytes.length < head + length) return false;
    this.#take(bytes[0], bytes.subarray(head, head + length));
    this.#bytes = bytes.subarray(head + length);
    return true;
  }

  #take(kind: number, body: Buffer): void {
    if (kind === BINARY) this.frames.push(fromBinary(ServerFrameSchema, body));
    if (kind !== CLOSE) return;
    this.#closeCode = body.length >= 2 ? body.readUInt16BE(0) : 1005;
    this.reset();
  }
}

/** A binary message as one frame. */
export function messageOf(body: Uint8Array): Buffer {
  const isShort = body.length < LENGTH_16;
  const isLong = body.length > 0xffff;
  const head = Buffer.alloc(isShort ? 6 : isLong ? 14 : 8);
  head[0] = BINARY;
  head[1] = MASKED | (isShort ? body.length : isLong ? LENGTH_64 : LENGTH_16);
  if (isLong) head.writeBigUInt64BE(BigInt(body.length), 2);
  else if (!isShort) head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
}
