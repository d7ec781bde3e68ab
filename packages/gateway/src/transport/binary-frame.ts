const FINAL_BINARY = 0x82;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** A copy of `bytes` as one WebSocket frame from a server: final, binary, unmasked (RFC 6455 §5.2). */
export function binaryFrame(bytes: Uint8Array): Buffer {
  const { length } = bytes;
  const head = length < LENGTH_16 ? 2 : length <= 0xffff ? 4 : 10;
  const frame = Buffer.allocUnsafe(head + length);
  frame[0] = FINAL_BINARY;
  frame[1] = head === 2 ? length : head === 4 ? LENGTH_16 : LENGTH_64;
  if (head === 4) frame.writeUInt16BE(length, 2);
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  frame.set(bytes, head);
  return frame;
}
