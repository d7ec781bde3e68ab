/** The client's side of RFC 6455, as far as a load generator needs it. */

const BINARY = 0x82;
export const PONG = 0x8a;
const MASKED = 0x80;
const HEADER_BYTES_MAX = 14;

/** A fixed key is allowed, and keeps the handshake the same in every run. */
const UPGRADE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export function upgradeRequest(port: number): Uint8Array {
  return Buffer.from(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      `Sec-WebSocket-Key: ${UPGRADE_KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`,
  );
}

/** `body` as one masked message; the masking key is zero, so the body stays as it is. */
export function maskedMessage(body: Uint8Array, opcode: number = BINARY): Uint8Array {
  const header = Buffer.alloc(HEADER_BYTES_MAX);
  header[0] = opcode;
  let length = 2;
  if (body.length < 126) header[1] = MASKED | body.length;
  else if (body.length < 0x10000) {
    header[1] = MASKED | 126;
    length = header.writeUInt16BE(body.length, 2);
  } else {
    header[1] = MASKED | 127;
    length = header.writeBigUInt64BE(BigInt(body.length), 2);
  }
  return Buffer.concat([header.subarray(0, length + 4), body]);
}

/** Finds the messages in a connection's bytes. */
export abstract class WebSocketReader {
  #isUpgraded = false;

  /** The server has agreed to speak WebSocket. */
  protected abstract onUpgrade(): void;
  /** A whole binary message in `bytes[from, to)`. */
  protected abstract onMessage(bytes: Buffer, from: number, to: number): void;
  protected abstract onPing(pong: Uint8Array): void;
  protected abstract onFault(message: string): void;

  scan(bytes: Buffer, from: number, to: number): number {
    let at = from;
    if (!this.#isUpgraded) {
      at = this.#scanUpgrade(bytes, from, to);
      if (!this.#isUpgraded) return from;
    }
    while (to - at >= 2) {
      let body = at + 2;
      let length = bytes[at + 1];
      if (length === 126) {
        if (to - at < 4) return at;
        length = (bytes[at + 2] << 8) | bytes[at + 3];
        body = at + 4;
      } else if (length === 127) {
        if (to - at < 10) return at;
        length = bytes.readUInt32BE(at + 6);
        body = at + 10;
      }
      if (to - body < length) return at;
      if (bytes[at] === BINARY) this.onMessage(bytes, body, body + length);
      else this.#onOther(bytes, at, body, length);
      at = body + length;
    }
    return at;
  }

  #scanUpgrade(bytes: Buffer, from: number, to: number): number {
    const end = bytes.subarray(from, to).indexOf('\r\n\r\n');
    if (end < 0) return from;
    const status = bytes.toString('latin1', from, from + 12);
    if (status !== 'HTTP/1.1 101') this.onFault(`the server answered the upgrade with ${status}`);
    this.#isUpgraded = true;
    this.onUpgrade();
    return from + end + 4;
  }

  #onOther(bytes: Buffer, at: number, body: number, length: number): void {
    const opcode = bytes[at] & 0x0f;
    if (opcode === 9) this.onPing(maskedMessage(bytes.subarray(body, body + length), PONG));
    else if (opcode === 8) {
      const code = length >= 2 ? bytes.readUInt16BE(body) : 1005;
      const reason = bytes.toString('utf8', body + 2, body + length);
      this.onFault(`the server closed the connection: ${code} ${reason}`);
    } else if (opcode !== 10) this.onFault(`unexpected WebSocket opcode ${opcode}`);
  }
}
