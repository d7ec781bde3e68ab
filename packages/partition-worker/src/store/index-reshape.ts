import { RecordLayout } from '@tidewire/core/threads';
import {
  DIRECTORY_BITS,
  DIRECTORY_SIZE,
  directoryIndex,
  RESHAPE,
  SEGMENT_DEPTH,
  SEGMENT_LIVE,
  SEGMENT_PLACE,
  SEGMENT_SLOTS,
  SEGMENT_USED,
  SEGMENT_WORDS,
} from './arena-layout.js';
import { blockOf, EMPTY, homeOf, indexHashOf, isReference, nextOffset } from './index-slot.js';
import { SEGMENT_CLASS } from './size-classes.js';
import type { SpanAllocator } from './span-allocator.js';

/** A segment with so many used slots is split, or cleaned of its deleted ones. */
export const SEGMENT_USED_MAX = 832;
/** Where a split is not possible, a segment takes records up to this; probing needs empty slots. */
export const SEGMENT_USED_LIMIT = 1010;
/** A segment of the greatest depth is cleaned once it has this many deleted slots. */
const CLEAN_DELETED_MIN = 64;

// Words of the reshape under way, or of the last one.
const STATE: number = RESHAPE;
const ENTRY: number = RESHAPE + 1;
const ENTRIES: number = RESHAPE + 2;
const REPLACED: number = RESHAPE + 3;
const LEFT: number = RESHAPE + 4;
const RIGHT: number = RESHAPE + 5;
const IDLE = 0;
/** The new segments are complete: the directory is being changed, and must be to the end. */
const COMMITTED = 1;

/**
 * Changes of the index's shape: the first segment of a partition, and a full segment copied into two
 * (or one, if most of its slots are deleted). Always the same steps: write new segments that nobody
 * refers to; commit; store the directory entries; free the old one. A death before the commit leaves
 * unreferenced blocks, a death after it is rolled forward by `finish`.
 */
export class IndexReshape {
  readonly words: Int32Array;
  readonly #spans: SpanAllocator;
  /** How many segments had been made when this one was, by segment; a block may be one again. */
  readonly #versions: Map<number, number> = new Map();
  #made = 0;

  constructor(words: Int32Array, spans: SpanAllocator) {
    this.words = words;
    this.#spans = spans;
  }

  /** Gives the partition its first segment; false if the arena is full. */
  open(partition: number): boolean {
    const segment = this.#take(0, 0);
    if (segment === 0) return false;
    this.#head(segment, 0, partition << DIRECTORY_BITS, 0);
    this.#commit(directoryIndex(partition), DIRECTORY_SIZE);
    return true;
  }

  /** Makes room in a full segment; false if that is not possible. */
  divide(segment: number): boolean {
    const words = this.words;
    const depth = words[segment + SEGMENT_DEPTH];
    const live = words[segment + SEGMENT_LIVE];
    const two = live > SEGMENT_USED_MAX / 2 && depth < DIRECTORY_BITS;
    if (!two && words[segment + SEGMENT_USED] - live < CLEAN_DELETED_MIN) return false;
    const left = this.#take(segment, 0);
    if (left === 0) return false;
    const right = two ? this.#take(segment, left) : left;
    if (right === 0) {
      this.#spans.free(SEGMENT_CLASS, left);
      return false;
    }
    this.#copy(segment, left, right);
    this.#commit(directoryIndex(0) + words[segment + SEGMENT_PLACE], DIRECTORY_SIZE >> depth);
    return true;
  }

  /** Tells a segment from every other that this thread has made in the same block. */
  versionOf(segment: number): number {
    return this.#versions.get(segment) ?? 0;
  }

  /** Attach: rolls a committed reshape forward. Its old segment is left to the span repair. */
  finish(): void {
    if (this.words[STATE] === COMMITTED) this.#direct();
    this.words[STATE] = IDLE;
  }

  /** The `i`-th of the 3 blocks that the last reshape dealt with, or 0. */
  blockAt(i: number): number {
    return this.words[REPLACED + i];
  }

  /** Takes a clean segment, naming all blocks concerned first. */
  #take(replaced: number, left: number): number {
    const words = this.words;
    const segment = this.#spans.peek(SEGMENT_CLASS);
    if (segment === 0) return 0;
    words[REPLACED] = replaced;
    words[LEFT] = left !== 0 ? left : segment;
    words[RIGHT] = segment;
    this.#spans.take(SEGMENT_CLASS, segment);
    words.fill(EMPTY, segment + SEGMENT_SLOTS, segment + SEGMENT_WORDS);
    this.#versions.set(segment, ++this.#made);
    return segment;
  }

  #copy(from: number, left: number, right: number): void {
    const words = this.words;
    const depth = words[from + SEGMENT_DEPTH];
    const place = words[from + SEGMENT_PLACE];
    const two = left !== right;
    let leftLive = 0;
    let rightLive = 0;
    for (let i = from + SEGMENT_SLOTS; i < from + SEGMENT_WORDS; i++) {
      const slot = words[i];
      if (!isReference(slot)) continue;
      const block = blockOf(slot);
      const indexHash = indexHashOf(
        words[block + RecordLayout.HASH],
        words[block + RecordLayout.MAP_COUNTER] >>> 16,
      );
      const isRight = two && (indexHash << depth) >>> 31 === 1;
      if (isRight) rightLive++;
      else leftLive++;
      this.#insert(isRight ? right : left, indexHash, slot);
    }
    this.#head(left, two ? depth + 1 : depth, place, leftLive);
    if (two) this.#head(right, depth + 1, place + (DIRECTORY_SIZE >> (depth + 1)), rightLive);
  }

  #insert(segment: number, indexHash: number, slot: number): void {
    const words = this.words;
    let offset = homeOf(indexHash);
    while (words[segment + offset] !== EMPTY) offset = nextOffset(offset);
    words[segment + offset] = slot;
  }

  #head(segment: number, depth: number, place: number, live: number): void {
    const words = this.words;
    words[segment + SEGMENT_USED] = live;
    words[segment + SEGMENT_DEPTH] = depth;
    words[segment + SEGMENT_PLACE] = place;
    words[segment + SEGMENT_LIVE] = live;
  }

  #commit(entry: number, entries: number): void {
    const words = this.words;
    words[ENTRY] = entry;
    words[ENTRIES] = entries;
    Atomics.store(words, STATE, COMMITTED); // release: the new segments are complete
    this.#direct();
    if (words[REPLACED] !== 0) this.#spans.free(SEGMENT_CLASS, words[REPLACED]);
    words[STATE] = IDLE;
  }

  #direct(): void {
    const words = this.words;
    const entry = words[ENTRY];
    const entries = words[ENTRIES];
    const half = words[LEFT] === words[RIGHT] ? entries : entries >> 1;
    for (let i = 0; i < half; i++) words[entry + i] = words[LEFT];
    for (let i = half; i < entries; i++) words[entry + i] = words[RIGHT];
  }
}
