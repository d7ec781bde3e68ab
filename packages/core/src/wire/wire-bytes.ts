const HIGH = 0x1_0000_0000;
const HALF = 0x8000_0000;

/** Below this many bytes a loop beats the fixed cost of `set`. */
const BULK_BYTES = 64;

/** Bytes of `value` as a varint; whole numbers from 0 to 2^53. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x20_0000) return 3;
  if (value < 0x1000_0000) return 4;
  let bytes = 5;
  for (let rest = Math.floor(value / (HIGH * 8)); rest !== 0; rest = Math.floor(rest / 0x80))
    bytes++;
  return bytes;
}

/** Writes `value` (0 to 2^53) as a varint. Like all writers here it returns the offset behind. */
export function writeVarint(target: Uint8Array, offset: number, value: number): number {
  let at = offset;
  let rest = value;
  for (; rest >= HALF; rest = Math.floor(rest / 0x80)) target[at++] = (rest % 0x80) | 0x80;
  let low = rest | 0;
  for (; low >= 0x80; low >>>= 7) target[at++] = (low & 0x7f) | 0x80;
  target[at] = low;
  return at + 1;
}

export function writeFixed32(target: Uint8Array, offset: number, value: number): number {
  target[offset] = value;
  target[offset + 1] = value >>> 8;
  target[offset + 2] = value >>> 16;
  target[offset + 3] = value >>> 24;
  return offset + 4;
}

export function readFixed32(source: Uint8Array, offset: number): number {
  const high = (source[offset + 2] << 16) | (source[offset + 3] << 24);
  return (source[offset] | (source[offset + 1] << 8) | high) >>> 0;
}

/** Writes `milliseconds << 16 | counter`, given the milliseconds' low 32 and high 16 bits. */
export function writeStamp(
  target: Uint8Array,
  offset: number,
  msLow: number,
  msHigh: number,
  counter: number,
): number {
  const at = writeFixed32(target, offset, (msLow << 16) | counter);
  return writeFixed32(target, at, (msLow >>> 16) | (msHigh << 16));
}

export function copyBytes(
  source: Uint8Array,
  sourceOffset: number,
  length: number,
  target: Uint8Array,
  offset: number,
): number {
  if (length >= BULK_BYTES)
    target.set(source.subarray(sourceOffset, sourceOffset + length), offset);
  else for (let i = 0; i < length; i++) target[offset + i] = source[sourceOffset + i];
  return offset + length;
}

/** Bytes of a message in a repeated field: tag, length and body. */
export function entryBytes(bodyBytes: number): number {
  return 1 + varintBytes(bodyBytes) + bodyBytes;
}

/** Bytes of a varint field; one of 0 is left out. */
export function numberBytes(value: number): number {
  return value === 0 ? 0 : 1 + varintBytes(value);
}

/** Bytes of a length-delimited field; an empty one is left out. */
export function blobBytes(length: number): number {
  return length === 0 ? 0 : 1 + varintBytes(length) + length;
}

/** Writes a varint field, or nothing if it is 0. */
export function writeNumber(
  target: Uint8Array,
  offset: number,
  tag: number,
  value: number,
): number {
  if (value === 0) return offset;
  target[offset] = tag;
  return writeVarint(target, offset + 1, value);
}

/** Writes a length-delimited field, or nothing if it is empty. */
export function writeBytes(
  target: Uint8Array,
  offset: number,
  tag: number,
  source: Uint8Array,
  sourceOffset: number,
  length: number,
): number {
  if (length === 0) return offset;
  target[offset] = tag;
  const at = writeVarint(target, offset + 1, length);
  return copyBytes(source, sourceOffset, length, target, at);
}
