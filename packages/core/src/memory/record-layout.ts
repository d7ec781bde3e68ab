/**
 * A record image: a stored record word for word, the same in an arena, in a batch and in recovery.
 *
 *     word 0   key hash (MurmurHash3)
 *     word 1   map id (16 bits) | stamp counter (16)
 *     word 2   stamp milliseconds, low 32 bits
 *     word 3   node (24) | flags (8): tombstone, expires, value kind (4 bits), left, presence
 *     word 4   sequence, low 32 bits
 *     word 5   stamp milliseconds, high 16 bits | sequence, high 16 bits
 *     word 6   key length in bytes (11) | value length in bytes (21)
 *     word 7…  key, zero-padded to words; expiry in ms (low, high) if EXPIRES; value, padded
 */
export const HASH = 0;
export const MAP_COUNTER = 1;
export const MS_LOW = 2;
export const NODE_FLAGS = 3;
export const SEQUENCE_LOW = 4;
export const MS_HIGH_SEQUENCE_HIGH = 5;
export const LENGTHS = 6;
export const HEADER_WORDS = 7;

export const FLAG_TOMBSTONE = 1;
export const FLAG_EXPIRES = 2;
/** Value kind, as on the wire, in the flags above the two bits. */
export const FLAG_KIND_SHIFT = 2;
const KIND_MASK = 15;
/** Of a presence record: its client has gone, and it ends as soon as there is room. In memory alone. */
export const FLAG_LEFT = 64;
/** Put for as long as its client is connected. */
export const FLAG_PRESENCE = 128;
/** FLAG_PRESENCE as it stands in a stored kind. */
export const KIND_PRESENCE: number = FLAG_PRESENCE >> FLAG_KIND_SHIFT;

export const VALUE_LENGTH_BITS = 21;
const VALUE_LENGTH_MASK: number = (1 << VALUE_LENGTH_BITS) - 1;
const HIGH = 0x1_0000_0000;

export function wordsOf(bytes: number): number {
  return (bytes + 3) >> 2;
}

export function packLengths(keyLength: number, valueLength: number): number {
  return (keyLength << VALUE_LENGTH_BITS) | valueLength;
}

export function keyLengthOf(lengths: number): number {
  return lengths >>> VALUE_LENGTH_BITS;
}

export function valueLengthOf(lengths: number): number {
  return lengths & VALUE_LENGTH_MASK;
}

export function imageWordsFor(keyLength: number, expires: boolean, valueLength: number): number {
  return HEADER_WORDS + wordsOf(keyLength) + (expires ? 2 : 0) + wordsOf(valueLength);
}

/** Words of the record at `at`. */
export function imageWords(words: Int32Array, at: number): number {
  const lengths = words[at + LENGTHS];
  return (
    HEADER_WORDS +
    wordsOf(lengths >>> VALUE_LENGTH_BITS) +
    (words[at + NODE_FLAGS] & FLAG_EXPIRES) + // the flag's value is the two words it adds
    wordsOf(lengths & VALUE_LENGTH_MASK)
  );
}

export function sequenceOf(words: Int32Array, at: number): number {
  return (words[at + SEQUENCE_LOW] >>> 0) + (words[at + MS_HIGH_SEQUENCE_HIGH] & 0xffff) * HIGH;
}

export function stampMsOf(words: Int32Array, at: number): number {
  return (words[at + MS_LOW] >>> 0) + (words[at + MS_HIGH_SEQUENCE_HIGH] >>> 16) * HIGH;
}

export function stampCounterOf(words: Int32Array, at: number): number {
  return words[at + MAP_COUNTER] & 0xffff;
}

export function nodeOf(words: Int32Array, at: number): number {
  return words[at + NODE_FLAGS] >>> 8;
}

export function mapIdOf(words: Int32Array, at: number): number {
  return words[at + MAP_COUNTER] >>> 16;
}

export function isTombstone(words: Int32Array, at: number): boolean {
  return (words[at + NODE_FLAGS] & FLAG_TOMBSTONE) !== 0;
}

export function valueKindOf(words: Int32Array, at: number): number {
  return (words[at + NODE_FLAGS] >>> FLAG_KIND_SHIFT) & KIND_MASK;
}

/** The value kind with the mark of presence: what the order of writes and the table go by. */
export function storedKindOf(words: Int32Array, at: number): number {
  return (words[at + NODE_FLAGS] & 0xff & ~FLAG_LEFT) >>> FLAG_KIND_SHIFT;
}

export function isPresence(words: Int32Array, at: number): boolean {
  return (words[at + NODE_FLAGS] & FLAG_PRESENCE) !== 0;
}

export function hasLeft(words: Int32Array, at: number): boolean {
  return (words[at + NODE_FLAGS] & FLAG_LEFT) !== 0;
}

/** Index of the key's first word. */
export function keyIndex(at: number): number {
  return at + HEADER_WORDS;
}

/** Index of the value's first word. */
export function valueIndex(words: Int32Array, at: number): number {
  return (
    at +
    HEADER_WORDS +
    wordsOf(words[at + LENGTHS] >>> VALUE_LENGTH_BITS) +
    (words[at + NODE_FLAGS] & FLAG_EXPIRES)
  );
}

/** Milliseconds since 1970 from which on the record counts as removed; 0: never. */
export function expiresAtOf(words: Int32Array, at: number): number {
  if ((words[at + NODE_FLAGS] & FLAG_EXPIRES) === 0) return 0;
  const index = at + HEADER_WORDS + wordsOf(words[at + LENGTHS] >>> VALUE_LENGTH_BITS);
  return (words[index] >>> 0) + words[index + 1] * HIGH;
}

/** Whether the record has a value to show at that time: neither removed nor expired. */
export function isStanding(words: Int32Array, at: number, nowMs: number): boolean {
  if (isTombstone(words, at)) return false;
  const expiresAt = expiresAtOf(words, at);
  return expiresAt === 0 || expiresAt > nowMs;
}

export function lowWord(value: number): number {
  return value | 0;
}

export function highWord(value: number): number {
  return Math.floor(value / HIGH);
}

export function joinWords(low: number, high: number): number {
  return (low >>> 0) + high * HIGH;
}
