/**
 * A ring: single producer, single consumer, records of 32-bit words in a SharedArrayBuffer.
 *
 *     word 0    tail   position up to which records may be read   writer: producer, reader: consumer
 *     word 32   head   position up to which records were read     writer: consumer, reader: producer
 *     word 64…  data   a power of two of words
 *
 * A position counts words and only grows (32 bits, compared by wrap-around distance); an index is a
 * position masked into the data. Tail and head lie two cache lines apart.
 *
 *     record    word 0: words of the whole record, header and filling included (even)
 *               word 1: kind (0: padding up to the end of the data)
 *               word 2…: body
 */
export const TAIL = 0;
export const HEAD = 32;
export const DATA = 64;

export const HEADER_WORDS = 2;
export const PADDING = 0;

export function ringBufferBytes(dataBytes: number): number {
  return DATA * 4 + dataBytes;
}

export function recordWords(bodyWords: number): number {
  return (HEADER_WORDS + bodyWords + 1) & ~1;
}
