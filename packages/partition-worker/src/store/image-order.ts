import { RecordLayout } from '@tidewire/core/threads';

const { FLAG_TOMBSTONE, LENGTHS, NODE_FLAGS } = RecordLayout;

/**
 * The order of writes between two record images: (milliseconds, counter, node, deleted, value bytes,
 * kind, expiry). Above 0: `left` is newer.
 */
export function compareImages(
  leftWords: Int32Array,
  left: number,
  rightWords: Int32Array,
  right: number,
): number {
  return (
    RecordLayout.stampMsOf(leftWords, left) - RecordLayout.stampMsOf(rightWords, right) ||
    RecordLayout.stampCounterOf(leftWords, left) - RecordLayout.stampCounterOf(rightWords, right) ||
    RecordLayout.nodeOf(leftWords, left) - RecordLayout.nodeOf(rightWords, right) ||
    (leftWords[left + NODE_FLAGS] & FLAG_TOMBSTONE) -
      (rightWords[right + NODE_FLAGS] & FLAG_TOMBSTONE) ||
    Buffer.compare(valueBytes(leftWords, left), valueBytes(rightWords, right)) ||
    RecordLayout.storedKindOf(leftWords, left) - RecordLayout.storedKindOf(rightWords, right) ||
    RecordLayout.expiresAtOf(leftWords, left) - RecordLayout.expiresAtOf(rightWords, right)
  );
}

function valueBytes(words: Int32Array, record: number): Uint8Array {
  const length = RecordLayout.valueLengthOf(words[record + LENGTHS]);
  return new Uint8Array(words.buffer, RecordLayout.valueIndex(words, record) * 4, length);
}
