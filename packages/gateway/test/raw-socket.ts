import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Opcodes of RFC 6455 §5.2. */
export const Opcode = {
  CONTINUATION: 0x0,
  TEXT: 0x1,
  BINARY: 0x2,
  CLOSE: 0x8,
  PING: 0x9,
  PONG: 0xa,
} as const;

/** A frame as it lies on the wire; the rest is legal unless told otherwise. */
export interface FrameInit {
  readonly opcode: number;
  readonly body?: Uint8Array | string;
  readonly isFinal?: boolean;
  /** Reserved bits, as 0b100 for the first. */
  readonly reserved?: number;
  readonly isMasked?: boolean;
  readonly mask?: number;
  /** Bytes of the length field: 0, 2 or 8; without it as few as will do. */
  readonly lengthBytes?: 0 | 2 | 8;
  /** What the length field says, whatever is sent. */
  readonly length?: bigint;
}

export interface HeardFrame {
  /** The whole first byte: FIN, the reserved bits and the opcode. */
  readonly first: number;
  readonly body: Buffer;
}

const HEADERS_END = '\r\n\r\n';

/** The bytes of a frame, right or wrong, as from a client. */
export function frameBytes(init: FrameInit): Buffer {
  const { opcode, isFinal = true, reserved = 0, isMasked = true, mask = 0x12345678 } = init;
  const body = Buffer.from(init.body ?? '');
  const said = init.length ?? BigInt(body.length);
  const lengthBytes = init.lengthBytes ?? (said < 126n ? 0 : said < 65_536n ? 2 : 8);
  const head = Buffer.alloc(2 + lengthBytes + (isMasked ? 4 : 0));
  head[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  head[1] =
    (isMasked ? 0x80 : 0) | (lengthBytes === 0 ? Number(said) : lengthBytes === 2 ? 126 : 127);
  if (lengthBytes === 2) head.writeUInt16BE(Number(said), 2);
  if (lengthBytes === 8) head.writeBigUInt64BE(said, 2);
  if (!isMasked) return Buffer.concat([head, body]);
  head.writeUInt32BE(mask, head.length - 4);
  const key = head.subarray(-4);
  return Buffer.concat([head, body.map((byte, i) => byte ^ key[i % 4])]);
}

export function closeBody(code: number, reason: string | Uint8Array = ''): Buffer {
  const body = Buffer.alloc(2);
  body.writeUInt16BE(code);
  return Buffer.concat([body, Buffer.from(reason)]);
}

/** A WebSocket client over bare TCP (RFC 6455) that sends any bytes and answers nothing by itself. */
export class RawSocket {
  /** Status line and headers of the server's answer. */
  answer = '';
  readonly frames: HeardFrame[] = [];
  /** Settles when the server has ended its side or cut the connection. */
  readonly ended: Promise<void>;
  readonly socket: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #isEnded = false;
  #look = (): void => {};

  /** `isTls`: whatever its certificate. */
  constructor(port: number, isTls = false) {
    this.socket = isTls
      ? connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false })
      : connect({ port, host: '127.0.0.1' });
    this.socket.setNoDelay(true);
    this.socket.on('data', (bytes) => this.#onBytes(bytes));
    this.socket.on('error', () => {}); // `close` follows
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#isEnded = true;
        this.#look();
        resolve();
      };
      this.socket.on('end', end).on('close', end);
    });
  }

  /** One that has been upgraded. */
  static async open(port: number, isTls = false): Promise<RawSocket> {
    const socket = new RawSocket(port, isTls);
    await socket.upgrade();
    return socket;
  }

  /** Resolves with the answer to the handshake. */
  async upgrade(headers: readonly string[] = [], path = '/'): Promise<string> {
    return await this.request([
      `GET ${path} HTTP/1.1`,
      'Host: x',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Version: 13',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      ...headers,
    ]);
  }

  /** Resolves with the answer's head, or what there is of it when the connection ends. */
  async request(lines: readonly string[]): Promise<string> {
    this.write(lines.join('\r\n') + HEADERS_END);
    await this.until(() => this.answer !== '');
    return this.answer;
  }

  write(bytes: Uint8Array | string): void {
    this.socket.write(bytes);
  }

  say(...frames: readonly FrameInit[]): void {
    this.write(Buffer.concat(frames.map(frameBytes)));
  }

  /** Looks whenever something was heard; resolves also when the connection has ended. */
  async until(condition: () => boolean): Promise<boolean> {
    if (!condition() && !this.#isEnded)
      await new Promise<void>((resolve) => {
        this.#look = () => {
          if (condition() || this.#isEnded) resolve();
        };
      });
    return condition();
  }

  /** The code of the close frame that came; 1005: one without a code; undefined: none. */
  get closeCode(): number | undefined {
    const frame = this.frames.find(({ first }) => first === (0x80 | Opcode.CLOSE));
    if (frame === undefined) return undefined;
    return frame.body.length >= 2 ? frame.body.readUInt16BE(0) : 1005;
  }

  destroy(): void {
    this.socket.destroy();
  }

  #onBytes(bytes: Buffer): void {
    this.#bytes = Buffer.concat([this.#bytes, bytes]);
    if (this.answer === '') {
      const end = this.#bytes.indexOf(HEADERS_END);
      if (end < 0) return;
      this.answer = this.#bytes.subarray(0, end).toString('latin1');
      this.#bytes = this.#bytes.subarray(end + HEADERS_END.length);
    }
    if (this.answer.startsWith('HTTP/1.1 101')) while (this.#takeFrame());
    this.#look();
  }

  #takeFrame(): boolean {
    const bytes = this.#bytes;
    const head = bytes[1] === 127 ? 10 : bytes[1] === 126 ? 4 : 2;
    if (bytes.length < head) return false;
    const length =
      head === 10
        ? Number(bytes.readBigUInt64BE(2))
        : head === 4
          ? bytes.readUInt16BE(2)
          : bytes[1];
    if (bytes.length < head + length) return false;
    this.frames.push({ first: bytes[0], body: bytes.subarray(head, head + length) });
    this.#bytes = bytes.subarray(head + length);
    return true;
  }
}
