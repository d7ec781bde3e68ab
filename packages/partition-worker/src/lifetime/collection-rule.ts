import { type CollectionMark, RecordLayout } from '@tidewire/core/threads';

/** The mark that is not below `mark` and covers the tombstone. */
export function raised(mark: CollectionMark, words: Int32Array, record: number): CollectionMark {
  const sequence = Math.max(mark.sequence, RecordLayout.sequenceOf(words, record));
  if (compareStamp(mark, words, record) >= 0) return { ...mark, sequence };
  return {
    partition: mark.partition,
    sequence,
    ms: RecordLayout.stampMsOf(words, record),
    counter: RecordLayout.stampCounterOf(words, record),
    node: RecordLayout.nodeOf(words, record),
  };
}

/** Whether the record is a tombstone that goes with this mark. */
export function covers(mark: CollectionMark, words: Int32Array, record: number): boolean {
  return (
    RecordLayout.isTombstone(words, record) &&
    RecordLayout.sequenceOf(words, record) <= mark.sequence &&
    compareStamp(mark, words, record) >= 0
  );
}

/** Whether `mark` covers more than `other`, which it is not below. */
export function isAbove(mark: CollectionMark, other: CollectionMark): boolean {
  return (
    mark.sequence !== other.sequence ||
    mark.ms !== other.ms ||
    mark.counter !== other.counter ||
    mark.node !== other.node
  );
}

/** Above 0: the mark's stamp is later than the record's. */
function compareStamp(mark: CollectionMark, words: Int32Array, record: number): number {
  return (
    mark.ms - RecordLayout.stampMsOf(words, record) ||
    mark.counter - RecordLayout.stampCounterOf(words, record) ||
    mark.node - RecordLayout.nodeOf(words, record)
  );
}
