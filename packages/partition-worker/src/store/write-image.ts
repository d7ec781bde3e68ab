import { copyWords, Operation, RecordLayout } from '@tidewire/core/threads';

const {
  FLAG_EXPIRES,
  FLAG_TOMBSTONE,
  HASH,
  HEADER_WORDS,
  LENGTHS,
  MAP_COUNTER,
  MS_HIGH_SEQUENCE_HIGH,
  MS_LOW,
  NODE_FLAGS,
  SEQUENCE_LOW,
} = RecordLayout;

/** Words of the record that the OPERATION at `request[at]` makes; `flags` are the record's. */
export function writtenWords(request: Int32Array, at: number, flags: number): number {
  const keyLength = RecordLayout.keyLengthOf(request[at + Operation.LENGTHS]);
  const valueLength = valueLengthOf(request, at, flags);
  return RecordLayout.imageWordsFor(keyLength, (flags & FLAG_EXPIRES) !== 0, valueLength);
}

/** Writes that record, with its sequence in two words, at `words[record]`. */
export function writeImage(
  words: Int32Array,
  record: number,
  request: Int32Array,
  at: number,
  flags: number,
  low: number,
  high: number,
): void {
  const highs = request[at + Operation.MS_HIGH_COUNTER];
  const mapBits = request[at + Operation.MAP_KIND_FLAGS] & 0xffff0000;
  const keyLength = RecordLayout.keyLengthOf(request[at + Operation.LENGTHS]);
  const valueLength = valueLengthOf(request, at, flags);
  words[record + HASH] = request[at + Operation.HASH];
  words[record + MAP_COUNTER] = mapBits | (highs & 0xffff);
  words[record + MS_LOW] = request[at + Operation.MS_LOW];
  words[record + NODE_FLAGS] = (request[at + Operation.NODE_VALUE_KIND] & ~0xff) | flags;
  words[record + SEQUENCE_LOW] = low;
  words[record + MS_HIGH_SEQUENCE_HIGH] = (highs & 0xffff0000) | high;
  words[record + LENGTHS] = RecordLayout.packLengths(keyLength, valueLength);
  const keyCount = RecordLayout.wordsOf(keyLength);
  copyWords(request, at + Operation.KEY, words, record + HEADER_WORDS, keyCount);
  let value = record + HEADER_WORDS + keyCount;
  if ((flags & FLAG_EXPIRES) !== 0) {
    words[value] = request[at + Operation.EXPIRES_LOW];
    words[value + 1] = request[at + Operation.EXPIRES_HIGH];
    value += 2;
  }
  const valueCount = RecordLayout.wordsOf(valueLength);
  copyWords(request, at + Operation.KEY + keyCount, words, value, valueCount);
}

/** A tombstone has no value. */
function valueLengthOf(request: Int32Array, at: number, flags: number): number {
  if ((flags & FLAG_TOMBSTONE) !== 0) return 0;
  return RecordLayout.valueLengthOf(request[at + Operation.LENGTHS]);
}
