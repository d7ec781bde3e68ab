import { GC_MARK_COUNT, GC_MARK_WORDS, GC_MARKS } from './worker-control.js';

/**
 * Tombstones of a partition that are collected: those whose sequence is not above `sequence` and
 * whose stamp (ms, counter, node) is not above the mark's.
 *
 * Memory forgets them only once the database knows the mark. The worker and persistence agree by three
 * numbers, of which each has one writer:
 *
 *     1. worker        all three equal: writes GC_MARKS and GC_MARK_COUNT, raises GC_PROPOSED by one,
 *                      rings persistence. No mark is below an earlier one of its partition, and none
 *                      has a sequence above `flushed`.
 *     2. persistence   sees GC_PROPOSED ≠ GC_COMMITTED: raises `partition_gc` to the marks (sequence and
 *                      stamp each on its own, neither ever falls) in a transaction that holds the fence.
 *                      A failure is tried again, by the next persistence thread too; nothing waits for it.
 *     3. persistence   stores GC_PROPOSED in GC_COMMITTED, rings the worker.
 *     4. worker        raises the collected marks of its arena, stores the number in GC_COLLECTED, and
 *                      forgets the tombstones.
 *
 * In the transaction of 2, or in any later one that holds the fence, persistence may delete the rows
 * that the marks cover, and with each a dead letter of its key that is not above it in the order of
 * writes: else recovery would load that over nothing. A row that stays is a tombstone recovered once
 * more and collected again. A covered row whose key has a newer record in memory may go too: its
 * flush inserts.
 *
 * The marks stay as they are until GC_COLLECTED has been stored, so a worker that attaches to the memory of
 * a dead one goes on at 4, or waits for 3.
 */
export interface CollectionMark {
  readonly partition: number;
  readonly sequence: number;
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
}

const HIGH = 0x1_0000_0000;

/** Writes the marks of a proposal. REQUIRES: at most one a partition. */
export function writeCollectionMarks(control: Int32Array, marks: readonly CollectionMark[]): void {
  control[GC_MARK_COUNT] = marks.length;
  marks.forEach((mark, i) => {
    const at = GC_MARKS + i * GC_MARK_WORDS;
    control[at] = mark.partition;
    control[at + 1] = mark.sequence | 0;
    control[at + 2] = Math.floor(mark.sequence / HIGH);
    control[at + 3] = mark.ms | 0;
    control[at + 4] = (Math.floor(mark.ms / HIGH) << 16) | mark.counter;
    control[at + 5] = mark.node;
  });
}

/** The marks of the newest proposal. REQUIRES: GC_PROPOSED has been loaded before. */
export function readCollectionMarks(control: Int32Array): CollectionMark[] {
  return Array.from({ length: control[GC_MARK_COUNT] }, (_, i) => {
    const at = GC_MARKS + i * GC_MARK_WORDS;
    return {
      partition: control[at],
      sequence: (control[at + 1] >>> 0) + control[at + 2] * HIGH,
      ms: (control[at + 3] >>> 0) + (control[at + 4] >>> 16) * HIGH,
      counter: control[at + 4] & 0xffff,
      node: control[at + 5],
    };
  });
}
