/**
 * True if `bytes[offset, offset + length)` is UTF-8 (Unicode 15, table 3-7: no surrogates, nothing
 * overlong, nothing above U+10FFFF) without NUL.
 */
export function isCleanUtf8(bytes: Uint8Array, offset: number, length: number): boolean {
  const end = offset + length;
  let at = offset;
  while (at < end) {
    const lead = bytes[at];
    if (lead < 0x80) {
      if (lead === 0) return false;
      at++;
      continue;
    }
    const size = sequenceBytes(bytes, at, end);
    if (size === 0) return false;
    at += size;
  }
  return true;
}

/** Bytes of the multi-byte sequence at `at`, or 0 if it is not one. */
function sequenceBytes(bytes: Uint8Array, at: number, end: number): number {
  const lead = bytes[at];
  const size = lead < 0xc2 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
  if (size === 0 || size > end - at) return 0;
  const second = bytes[at + 1];
  if (second < secondMin(lead) || second > secondMax(lead)) return 0;
  for (let i = 2; i < size; i++) if ((bytes[at + i] & 0xc0) !== 0x80) return 0;
  return size;
}

function secondMin(lead: number): number {
  if (lead === 0xe0) return 0xa0; // else overlong
  return lead === 0xf0 ? 0x90 : 0x80;
}

function secondMax(lead: number): number {
  if (lead === 0xed) return 0x9f; // else a surrogate
  return lead === 0xf4 ? 0x8f : 0xbf; // else above U+10FFFF
}
