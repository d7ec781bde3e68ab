import * as RecordLayout from '../memory/record-layout.js';
import { blobBytes, numberBytes, writeBytes, writeNumber, writeStamp } from './wire-bytes.js';

/** The fields that a Result and an Event take from a record image. */

/** There is no record to speak of. */
export const NO_RECORD = -1;

const STAMP_BYTES = 9;

/** Bytes of sequence, stamp and node. */
export function recordBytes(words: Int32Array, record: number): number {
  const sequence = RecordLayout.sequenceOf(words, record);
  return numberBytes(sequence) + STAMP_BYTES + numberBytes(RecordLayout.nodeOf(words, record));
}

/** Bytes of value, value kind and expiry. */
export function valueBytes(words: Int32Array, record: number): number {
  return contentBytes(words, record) + numberBytes(RecordLayout.expiresAtOf(words, record));
}

/** Bytes of value and value kind. */
export function contentBytes(words: Int32Array, record: number): number {
  return (
    blobBytes(RecordLayout.valueLengthOf(words[record + RecordLayout.LENGTHS])) +
    numberBytes(RecordLayout.valueKindOf(words, record))
  );
}

/** Writes the value under `tag` and its kind under the tag that is always the one after it. */
export function writeValue(
  target: Uint8Array,
  offset: number,
  tag: number,
  words: Int32Array,
  wordBytes: Uint8Array,
  record: number,
): number {
  const length = RecordLayout.valueLengthOf(words[record + RecordLayout.LENGTHS]);
  const valueOffset = RecordLayout.valueIndex(words, record) * 4;
  const at = writeBytes(target, offset, tag, wordBytes, valueOffset, length);
  const kindTag = tag + 6; // the next field, as a varint
  return writeNumber(target, at, kindTag, RecordLayout.valueKindOf(words, record));
}

export function writeRecordStamp(
  target: Uint8Array,
  offset: number,
  words: Int32Array,
  record: number,
): number {
  const msHigh = words[record + RecordLayout.MS_HIGH_SEQUENCE_HIGH] >>> 16;
  const counter = RecordLayout.stampCounterOf(words, record);
  return writeStamp(target, offset, words[record + RecordLayout.MS_LOW], msHigh, counter);
}
