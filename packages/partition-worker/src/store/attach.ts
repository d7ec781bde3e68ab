import { partitionOf } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import {
  type ArenaLayout,
  CLASS_FREE,
  FRONTIER,
  HOT_BLOCKS,
  SEGMENT_WORDS,
  SPAN_BUMP,
  SPAN_CLASS,
  SPAN_FREE_BLOCK,
  SPAN_TAKEN,
  UNIT_WORDS_LOG2,
} from './arena-layout.js';
import type { IndexReshape } from './index-reshape.js';
import { blockOf, isReference } from './index-slot.js';
import type { Intent } from './intent.js';
import type { KeyIndex } from './key-index.js';
import type { PartitionNumbers } from './partition-numbers.js';
import { blockWords, SEGMENT_CLASS } from './size-classes.js';
import type { SpanAllocator } from './span-allocator.js';
import type { WriteGroup } from './write-group.js';

const RESHAPE_BLOCKS = 3;

export interface AttachParts {
  readonly words: Int32Array;
  readonly layout: ArenaLayout;
  readonly numbers: PartitionNumbers;
  readonly spans: SpanAllocator;
  readonly index: KeyIndex;
  readonly reshape: IndexReshape;
  readonly intent: Intent;
  readonly group: WriteGroup;
}

/**
 * Makes an arena whole after its worker died at any store. Every step may be repeated, so a death in
 * here is no worse. The intents are left as they are: `Intent.isPublished` still answers.
 */
export function attach(parts: AttachParts): void {
  const { group } = parts;
  parts.reshape.finish();
  group.finish();
  repairSlot(parts);
  dropLiveHotBlocks(parts);
  repairSpan(parts, parts.intent.block);
  repairSpan(parts, parts.intent.replaced);
  for (let i = 0; i < RESHAPE_BLOCKS; i++) repairSpan(parts, parts.reshape.blockAt(i));
  for (let i = 0; i < group.count; i++) {
    repairSpan(parts, group.recordAt(i));
    repairSpan(parts, group.replacedAt(i));
  }
  parts.spans.relink();
}

/** A published record takes its sequence, and its segment's counts are made right. */
function repairSlot({ words, numbers, index, intent }: AttachParts): void {
  const slot = intent.slot;
  const segment = slot & -SEGMENT_WORDS;
  if (slot === 0 || !index.isLiveSegment(segment)) return;
  if (isReference(words[slot])) {
    const record = blockOf(words[slot]);
    const partition = partitionOf(words[record + RecordLayout.HASH]);
    numbers.raiseSequence(partition, RecordLayout.sequenceOf(words, record));
  }
  index.recount(segment);
}

/** The block was published, and the death came before the class's hot block was set anew. */
function dropLiveHotBlocks({ words, index }: AttachParts): void {
  for (let sizeClass = 0; sizeClass < SEGMENT_CLASS; sizeClass++) {
    const hot = words[HOT_BLOCKS + sizeClass];
    if (hot !== 0 && index.isLive(hot)) words[HOT_BLOCKS + sizeClass] = 0;
  }
}

/** Builds the free list of the span that holds `block` anew, by asking the index for each block. */
function repairSpan({ words, layout, spans, index }: AttachParts, block: number): void {
  const unit = block >>> UNIT_WORDS_LOG2;
  if (unit < layout.firstUnit || unit >= words[FRONTIER]) return;
  const span = spans.spanOf(block);
  const sizeClass = words[span + SPAN_CLASS];
  if (sizeClass === CLASS_FREE) return;
  const hot = words[HOT_BLOCKS + sizeClass];
  const step = blockWords(sizeClass);
  let free = 0;
  let taken = 0;
  for (let at = spans.spanStart(span); at < words[span + SPAN_BUMP]; at += step) {
    const isTaken =
      at === hot || (sizeClass === SEGMENT_CLASS ? index.isLiveSegment(at) : index.isLive(at));
    if (isTaken) {
      taken++;
      continue;
    }
    words[at] = free;
    free = at;
  }
  words[span + SPAN_FREE_BLOCK] = free;
  words[span + SPAN_TAKEN] = taken;
}
