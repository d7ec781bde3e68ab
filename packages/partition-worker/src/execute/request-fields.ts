import { Operation, RecordLayout } from '@tidewire/core/threads';

/** Where an OPERATION ring record has its parts of variable length. */

export function keyWordsOf(request: Int32Array, at: number): number {
  return RecordLayout.wordsOf(RecordLayout.keyLengthOf(request[at + Operation.LENGTHS]));
}

export function valueIndexOf(request: Int32Array, at: number): number {
  return at + Operation.KEY + keyWordsOf(request, at);
}

/** Index of the extension of the OPERATION at `at`, which must be an update. */
export function extensionOf(request: Int32Array, at: number): number {
  const lengths = request[at + Operation.LENGTHS];
  return valueIndexOf(request, at) + RecordLayout.wordsOf(RecordLayout.valueLengthOf(lengths));
}

/** The key's bytes; a copy, as all of these: text is not decoded from shared memory. */
export function keyOf(request: Int32Array, at: number): Uint8Array {
  const length = RecordLayout.keyLengthOf(request[at + Operation.LENGTHS]);
  return bytesAt(request, at + Operation.KEY, length);
}

/** The operation's value: of an update, its argument. */
export function argumentOf(request: Int32Array, at: number): Uint8Array {
  const length = RecordLayout.valueLengthOf(request[at + Operation.LENGTHS]);
  return bytesAt(request, valueIndexOf(request, at), length);
}

/** The value of a record. */
export function valueBytesOf(records: Int32Array, record: number): Uint8Array {
  const length = RecordLayout.valueLengthOf(records[record + RecordLayout.LENGTHS]);
  return bytesAt(records, RecordLayout.valueIndex(records, record), length);
}

function bytesAt(words: Int32Array, index: number, length: number): Uint8Array {
  return new Uint8Array(words.buffer, index * 4, length).slice();
}
