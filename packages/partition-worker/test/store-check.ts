import { strict as assert } from 'node:assert';
import { PARTITIONS, partitionOf } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import {
  ArenaLayout,
  CLASS_FREE,
  DIRECTORY_SIZE,
  directoryIndex,
  FREE_SPAN_SIZES,
  FREE_SPANS,
  FRONTIER,
  HOT_BLOCKS,
  JOURNAL_ENTRIES_WORD,
  partitionIndex,
  ROOMY_SPANS,
  SEGMENT_DEPTH,
  SEGMENT_LIVE,
  SEGMENT_PLACE,
  SEGMENT_SLOTS,
  SEGMENT_USED,
  SEGMENT_WORDS,
  SEQUENCE,
  SPAN_BUMP,
  SPAN_CLASS,
  SPAN_FREE_BLOCK,
  SPAN_LISTED,
  SPAN_NEXT,
  SPAN_PREVIOUS,
  SPAN_SIZE_LOG2,
  SPAN_TAKEN,
  SPAN_WORDS_LOG2,
  UNIT_WORDS_LOG2,
} from '#lib/store/arena-layout.js';
import {
  blockOf,
  DELETED,
  EMPTY,
  homeOf,
  indexHashOf,
  isReference,
  nextOffset,
  packSlot,
} from '#lib/store/index-slot.js';
import type { RecordStore } from '#lib/store/record-store.js';
import { blockWords, SEGMENT_CLASS, SIZE_CLASSES, sizeClassOf } from '#lib/store/size-classes.js';

/** Every block of the arena, by what holds it. */
interface Holders {
  readonly records: Map<number, number>; // block → size class
  readonly segments: Set<number>;
  readonly hot: Map<number, number>;
}

/**
 * Asserts every invariant of an arena at rest: each block is exactly one of live, hot, free; each
 * count, list and directory range is right; no record's sequence is above its partition's.
 */
export function checkStore(store: RecordStore): void {
  const { words } = store;
  const layout = new ArenaLayout(words.byteLength, words[JOURNAL_ENTRIES_WORD]);
  const holders: Holders = { records: new Map(), segments: new Set(), hot: new Map() };
  for (let partition = 0; partition < PARTITIONS; partition++)
    checkPartition(words, partition, holders);
  assert.equal(store.recordsLive, holders.records.size, 'records counted');
  for (let sizeClass = 0; sizeClass < SIZE_CLASSES; sizeClass++) {
    const hot = words[HOT_BLOCKS + sizeClass];
    if (hot === 0) continue;
    assert(!holders.records.has(hot), 'a hot block is live');
    holders.hot.set(hot, sizeClass);
  }
  checkSpans(store, layout, holders);
}

function checkPartition(words: Int32Array, partition: number, holders: Holders): void {
  const directory = directoryIndex(partition);
  if (words[directory] === 0) {
    for (let i = 0; i < DIRECTORY_SIZE; i++) assert.equal(words[directory + i], 0, 'directory');
    return;
  }
  for (let entry = 0; entry < DIRECTORY_SIZE; ) {
    const segment = words[directory + entry];
    const width = DIRECTORY_SIZE >> words[segment + SEGMENT_DEPTH];
    assert.equal(words[segment + SEGMENT_PLACE], partition * DIRECTORY_SIZE + entry, 'place');
    for (let i = 0; i < width; i++) assert.equal(words[directory + entry + i], segment, 'range');
    assert(!holders.segments.has(segment), 'segment referred to twice');
    holders.segments.add(segment);
    checkSegment(words, partition, segment, holders);
    entry += width;
  }
}

function checkSegment(
  words: Int32Array,
  partition: number,
  segment: number,
  holders: Holders,
): void {
  let used = 0;
  let live = 0;
  for (let i = segment + SEGMENT_SLOTS; i < segment + SEGMENT_WORDS; i++) {
    const slot = words[i];
    if (slot === EMPTY) continue;
    used++;
    if (slot === DELETED) continue;
    assert(isReference(slot), 'a slot is empty, deleted or a reference');
    live++;
    const record = blockOf(slot);
    assert(!holders.records.has(record), 'record referred to twice');
    holders.records.set(record, sizeClassOf(RecordLayout.imageWords(words, record)));
    assert.equal(partitionOf(words[record]), partition, 'record of another partition');
    assert.equal(slotOf(words, segment, record), i, 'probing does not reach the slot');
    const at = partitionIndex(partition) + SEQUENCE;
    const sequence = RecordLayout.joinWords(words[at], words[at + 1]);
    assert(RecordLayout.sequenceOf(words, record) <= sequence, 'sequence above the partition’s');
  }
  assert.equal(words[segment + SEGMENT_USED], used, 'used slots');
  assert.equal(words[segment + SEGMENT_LIVE], live, 'live slots');
}

function slotOf(words: Int32Array, segment: number, record: number): number {
  const indexHash = indexHashOf(words[record], RecordLayout.mapIdOf(words, record));
  const wanted = packSlot(record, indexHash);
  let offset = homeOf(indexHash);
  while (words[segment + offset] !== EMPTY && words[segment + offset] !== wanted)
    offset = nextOffset(offset);
  return segment + offset;
}

function checkSpans(store: RecordStore, layout: ArenaLayout, holders: Holders): void {
  const { words } = store;
  const listed = listedSpans(words);
  const pooled = pooledSpans(words, layout);
  let blocks = 0;
  let used = layout.firstUnit;
  for (let unit = layout.firstUnit; unit < words[FRONTIER]; ) {
    const span = layout.spanTable + (unit << SPAN_WORDS_LOG2);
    const size = 1 << words[span + SPAN_SIZE_LOG2];
    if (words[span + SPAN_CLASS] === CLASS_FREE) assert(pooled.has(unit), 'free span not linked');
    else {
      used += size;
      blocks += checkSpan(words, span, unit, holders, listed);
    }
    unit += size;
  }
  assert.equal(store.spansUsed, used, 'spans used');
  const held = holders.records.size + holders.segments.size + holders.hot.size;
  assert.equal(blocks, held, 'a block is live outside all spans');
}

/** Returns the blocks that are taken. */
function checkSpan(
  words: Int32Array,
  span: number,
  unit: number,
  holders: Holders,
  listed: Map<number, number>,
): number {
  const sizeClass = words[span + SPAN_CLASS];
  const step = blockWords(sizeClass);
  const start = unit << UNIT_WORDS_LOG2;
  const end = (unit + (1 << words[span + SPAN_SIZE_LOG2])) << UNIT_WORDS_LOG2;
  const free = new Set<number>();
  for (let block = words[span + SPAN_FREE_BLOCK]; block !== 0; block = words[block]) {
    assert(!free.has(block), 'free list runs in a circle');
    assert(block >= start && block < words[span + SPAN_BUMP], 'free block outside its span');
    free.add(block);
  }
  let taken = 0;
  for (let block = start; block < words[span + SPAN_BUMP]; block += step) {
    if (free.has(block)) continue;
    taken++;
    if (sizeClass === SEGMENT_CLASS) assert(holders.segments.has(block), 'segment leaked');
    else
      assert(
        holders.hot.get(block) === sizeClass || holders.records.get(block) === sizeClass,
        `block of class ${sizeClass} leaked`,
      );
  }
  assert.equal(words[span + SPAN_TAKEN], taken, 'taken blocks');
  const hasRoom = free.size > 0 || words[span + SPAN_BUMP] + step <= end;
  assert.equal(listed.get(span), hasRoom ? sizeClass : undefined, 'list of spans with room');
  assert.equal(words[span + SPAN_LISTED], hasRoom ? 1 : 0, 'listed mark');
  return taken;
}

function listedSpans(words: Int32Array): Map<number, number> {
  const listed = new Map<number, number>();
  for (let sizeClass = 0; sizeClass < SIZE_CLASSES; sizeClass++) {
    let previous = 0;
    for (let span = words[ROOMY_SPANS + sizeClass]; span !== 0; span = words[span + SPAN_NEXT]) {
      assert(!listed.has(span), 'span listed twice');
      assert.equal(words[span + SPAN_CLASS], sizeClass, 'span in the list of another class');
      assert.equal(words[span + SPAN_PREVIOUS], previous, 'previous span');
      listed.set(span, sizeClass);
      previous = span;
    }
  }
  return listed;
}

function pooledSpans(words: Int32Array, layout: ArenaLayout): Set<number> {
  const pooled = new Set<number>();
  for (let log2 = 0; log2 < FREE_SPAN_SIZES; log2++)
    for (let unit = words[FREE_SPANS + log2]; unit !== 0; ) {
      const span = layout.spanTable + (unit << SPAN_WORDS_LOG2);
      assert(!pooled.has(unit), 'free span linked twice');
      assert.equal(words[span + SPAN_CLASS], CLASS_FREE, 'free span in use');
      assert.equal(words[span + SPAN_SIZE_LOG2], log2, 'free span of another size');
      pooled.add(unit);
      unit = words[span + SPAN_NEXT];
    }
  return pooled;
}
