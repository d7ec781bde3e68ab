/** First bytes of sort keys: the order of types. */
const MISSING = 0;
const NULL = 1;
const FALSE = 2;
const TRUE = 3;
const NUMBER = 4;
const TEXT = 5;
const OTHER = 6;

/**
 * Bytes of a JSON value that sort as unsigned bytes do, the shorter of two first where one begins
 * with the other: missing (undefined), null, false, true, numbers, strings by code point, and
 * objects and arrays, all alike.
 */
export function sortKeyOf(value: unknown): Uint8Array<ArrayBuffer> {
  switch (typeof value) {
    case 'undefined':
      return Uint8Array.of(MISSING);
    case 'boolean':
      return Uint8Array.of(value ? TRUE : FALSE);
    case 'number':
      return Number.isNaN(value) ? Uint8Array.of(OTHER) : numberKey(value);
    case 'string':
      return textKey(value);
    default:
      return Uint8Array.of(value === null ? NULL : OTHER);
  }
}

/** Big-endian, the sign turned; of negative numbers all bits, for their order is reversed. */
function numberKey(number: number): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(9);
  const view = new DataView(key.buffer);
  key[0] = NUMBER;
  view.setFloat64(1, number === 0 ? 0 : number); // −0 equals 0
  if (key[1] < 0x80) key[1] |= 0x80;
  else for (let i = 1; i < 9; i++) key[i] ^= 0xff;
  return key;
}

/** UTF-8; a lone surrogate by the same scheme, so that it keeps its place among code points. */
function textKey(text: string): Uint8Array<ArrayBuffer> {
  const key = new Uint8Array(1 + 3 * text.length);
  key[0] = TEXT;
  let at = 1;
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!;
    if (code >= 0x10000) i++;
    at = writeCodePoint(key, at, code);
  }
  return key.slice(0, at);
}

function writeCodePoint(target: Uint8Array, offset: number, code: number): number {
  if (code < 0x80) {
    target[offset] = code;
    return offset + 1;
  }
  const rest = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  target[offset] = (0xff00 >> (rest + 1)) | (code >> (6 * rest));
  for (let i = 1; i <= rest; i++) target[offset + i] = 0x80 | ((code >> (6 * (rest - i))) & 0x3f);
  return offset + 1 + rest;
}
