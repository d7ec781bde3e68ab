import { Operation, RecordLayout } from '@tidewire/core/threads';

const { LENGTHS, MAP_COUNTER, MS_HIGH_SEQUENCE_HIGH, MS_LOW, NODE_FLAGS } = RecordLayout;

/**
 * The order of writes, by which every replica comes to the same state: (milliseconds, counter, node,
 * deleted, value bytes, kind, expiry). Only the first three differ in an honest history; the rest
 * settles what two clients with one node id wrote at one stamp. The database compares the same way.
 *
 * Compares the write in an OPERATION ring record with a stored record: above 0 the write is newer,
 * 0 it is the same write, below 0 the record is newer.
 */
export function compareWrite(
  request: Int32Array,
  at: number,
  flags: number,
  words: Int32Array,
  record: number,
): number {
  const highs = request[at + Operation.MS_HIGH_COUNTER];
  const stamp =
    (highs >>> 16) - (words[record + MS_HIGH_SEQUENCE_HIGH] >>> 16) ||
    (request[at + Operation.MS_LOW] >>> 0) - (words[record + MS_LOW] >>> 0) ||
    (highs & 0xffff) - (words[record + MAP_COUNTER] & 0xffff) ||
    (request[at + Operation.NODE_VALUE_KIND] >>> 8) - (words[record + NODE_FLAGS] >>> 8);
  return stamp !== 0 ? stamp : compareContent(request, at, flags, words, record);
}

/** Whether a write takes effect, given `compareWrite`'s answer. */
export function shouldApply(order: number): boolean {
  return order > 0;
}

function compareContent(
  request: Int32Array,
  at: number,
  flags: number,
  words: Int32Array,
  record: number,
): number {
  const recordFlags = words[record + NODE_FLAGS] & 0xff;
  const deleted =
    (flags & RecordLayout.FLAG_TOMBSTONE) - (recordFlags & RecordLayout.FLAG_TOMBSTONE);
  if (deleted !== 0) return deleted;
  const requestLengths = request[at + Operation.LENGTHS];
  const requestValue =
    at + Operation.KEY + RecordLayout.wordsOf(RecordLayout.keyLengthOf(requestLengths));
  return (
    compareBytes(
      bytesAt(request, requestValue, RecordLayout.valueLengthOf(requestLengths)),
      bytesAt(
        words,
        RecordLayout.valueIndex(words, record),
        RecordLayout.valueLengthOf(words[record + LENGTHS]),
      ),
    ) ||
    (flags >>> RecordLayout.FLAG_KIND_SHIFT) - RecordLayout.storedKindOf(words, record) ||
    expiryOf(request, at, flags) - RecordLayout.expiresAtOf(words, record)
  );
}

function expiryOf(request: Int32Array, at: number, flags: number): number {
  if ((flags & RecordLayout.FLAG_EXPIRES) === 0) return 0;
  return RecordLayout.joinWords(
    request[at + Operation.EXPIRES_LOW],
    request[at + Operation.EXPIRES_HIGH],
  );
}

function bytesAt(words: Int32Array, index: number, length: number): Uint8Array {
  return new Uint8Array(words.buffer, index * 4, length);
}

function compareBytes(left: Uint8Array, right: Uint8Array): number {
  const common = Math.min(left.length, right.length);
  for (let i = 0; i < common; i++) if (left[i] !== right[i]) return left[i] - right[i];
  return left.length - right.length;
}
