/** Below this many bytes a loop over words beats the fixed cost of `set` (measured: about 200 ns). */
const BULK_BYTES = 256;

/**
 * Copies unaligned bytes into words, little-endian, the last word zero-padded.
 * `words` and `wordBytes` are two views of one buffer.
 */
export function bytesToWords(
  bytes: Uint8Array,
  offset: number,
  length: number,
  words: Int32Array,
  wordBytes: Uint8Array,
  index: number,
): void {
  if (length >= BULK_BYTES) {
    if ((length & 3) !== 0) words[index + (length >> 2)] = 0; // only a last word that is padded
    wordBytes.set(bytes.subarray(offset, offset + length), index << 2);
    return;
  }
  const whole = offset + (length & ~3);
  let at = index;
  let i = offset;
  for (; i < whole; i += 4)
    words[at++] = bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24);
  if (i === offset + length) return;
  let tail = 0;
  for (let shift = 0; i < offset + length; i++, shift += 8) tail |= bytes[i] << shift;
  words[at] = tail;
}

/** Copies `count` words between buffers. */
export function copyWords(
  from: Int32Array,
  fromIndex: number,
  to: Int32Array,
  toIndex: number,
  count: number,
): void {
  if (count >= BULK_BYTES >> 2) {
    to.set(from.subarray(fromIndex, fromIndex + count), toIndex);
    return;
  }
  let i = 0;
  for (; i + 4 <= count; i += 4) {
    to[toIndex + i] = from[fromIndex + i];
    to[toIndex + i + 1] = from[fromIndex + i + 1];
    to[toIndex + i + 2] = from[fromIndex + i + 2];
    to[toIndex + i + 3] = from[fromIndex + i + 3];
  }
  for (; i < count; i++) to[toIndex + i] = from[fromIndex + i];
}
