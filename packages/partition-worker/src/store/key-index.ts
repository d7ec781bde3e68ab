import { PARTITIONS, partitionOf } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import {
  DIRECTORY_BITS,
  DIRECTORY_SHIFT,
  DIRECTORY_SIZE,
  directoryIndex,
  SEGMENT_DEPTH,
  SEGMENT_LIVE,
  SEGMENT_PLACE,
  SEGMENT_SLOTS,
  SEGMENT_USED,
  SEGMENT_WORDS,
} from './arena-layout.js';
import { type IndexReshape, SEGMENT_USED_LIMIT, SEGMENT_USED_MAX } from './index-reshape.js';
import {
  blockOf,
  DELETED,
  EMPTY,
  hasTag,
  homeOf,
  indexHashOf,
  isReference,
  nextOffset,
  packSlot,
  tagOf,
} from './index-slot.js';
import type { ScanPlace } from './scan-place.js';

const { HASH, HEADER_WORDS, LENGTHS, MAP_COUNTER, MS_HIGH_SEQUENCE_HIGH, SEQUENCE_LOW } =
  RecordLayout;
const { VALUE_LENGTH_BITS } = RecordLayout;
const PLACES: number = PARTITIONS << DIRECTORY_BITS;

/**
 * Extendible hashing, partition first: the directory names the segment of an index hash, a segment
 * is probed from the home slot on. A segment always keeps an empty slot, at which probing ends.
 *
 * `find` leaves where it ended in `slot` and `segment`, for the write that follows it.
 */
export class KeyIndex {
  /** Slot of the record last found, or where it would go; 0: there is no segment yet. */
  slot = 0;
  segment = 0;
  readonly words: Int32Array;
  readonly #reshape: IndexReshape;

  constructor(words: Int32Array, reshape: IndexReshape) {
    this.words = words;
    this.#reshape = reshape;
  }

  /** The record of a key, or 0. The key is zero-padded to words at `keyIndex`. */
  find(
    partition: number,
    mapId: number,
    hash: number,
    keyWords: Int32Array,
    keyIndex: number,
    keyLength: number,
  ): number {
    const words = this.words;
    const indexHash = indexHashOf(hash, mapId);
    const segment = words[directoryIndex(partition) + (indexHash >>> DIRECTORY_SHIFT)];
    this.segment = segment;
    this.slot = 0;
    if (segment === 0) return 0;
    const tag = tagOf(indexHash);
    const keyCount = (keyLength + 3) >> 2;
    let deleted = 0;
    for (let offset = homeOf(indexHash); ; offset = nextOffset(offset)) {
      const slot = words[segment + offset];
      if (slot === EMPTY) {
        this.slot = deleted !== 0 ? deleted : segment + offset;
        return 0;
      }
      if (hasTag(slot, tag)) {
        const block = blockOf(slot);
        if (
          words[block + HASH] === hash &&
          words[block + MAP_COUNTER] >>> 16 === mapId &&
          words[block + LENGTHS] >>> VALUE_LENGTH_BITS === keyLength
        ) {
          const key = block + HEADER_WORDS;
          let i = 0;
          while (i < keyCount && words[key + i] === keyWords[keyIndex + i]) i++;
          if (i === keyCount) {
            this.slot = segment + offset;
            return block;
          }
        }
      } else if (slot === DELETED && deleted === 0) deleted = segment + offset;
    }
  }

  /**
   * After `find` of an absent key: sees to it that `slot` can take its record, changing the index's
   * shape where needed. False if there is no room.
   */
  reserve(partition: number, indexHash: number): boolean {
    const words = this.words;
    const entry = directoryIndex(partition) + (indexHash >>> DIRECTORY_SHIFT);
    if (this.segment === 0) {
      if (!this.#reshape.open(partition)) return false;
    } else {
      if (words[this.segment + SEGMENT_USED] < SEGMENT_USED_MAX) return true;
      if (!this.#reshape.divide(this.segment)) return this.fits(this.segment);
    }
    const segment = words[entry];
    let offset = homeOf(indexHash);
    while (isReference(words[segment + offset])) offset = nextOffset(offset);
    this.segment = segment;
    this.slot = segment + offset;
    return this.fits(segment);
  }

  /** Whether the segment can take a record beside `others` that are still to come. */
  fits(segment: number, others = 0): boolean {
    return this.words[segment + SEGMENT_USED] + others < SEGMENT_USED_LIMIT;
  }

  /** Makes `slot` refer to the record: the one store by which a write happens. */
  publish(block: number, indexHash: number): void {
    Atomics.store(this.words, this.slot, packSlot(block, indexHash)); // release: the record is complete
  }

  /** Counts a publish into a slot that held `before`, no reference. */
  countInsert(before: number): void {
    const words = this.words;
    const segment = this.segment;
    if (before === EMPTY) words[segment + SEGMENT_USED] = words[segment + SEGMENT_USED] + 1;
    words[segment + SEGMENT_LIVE] = words[segment + SEGMENT_LIVE] + 1;
  }

  /** Makes `slot` refer to nothing. */
  withdraw(): void {
    const words = this.words;
    const segment = this.segment;
    const next = segment + nextOffset(this.slot - segment);
    if (words[next] === EMPTY) {
      Atomics.store(words, this.slot, EMPTY);
      words[segment + SEGMENT_USED] = words[segment + SEGMENT_USED] - 1;
    } else Atomics.store(words, this.slot, DELETED);
    words[segment + SEGMENT_LIVE] = words[segment + SEGMENT_LIVE] - 1;
  }

  /** The record that took `sequence`, if it is still the state of its key; else 0. */
  findSequence(partition: number, indexHash: number, low: number, high: number): number {
    const words = this.words;
    const segment = words[directoryIndex(partition) + (indexHash >>> DIRECTORY_SHIFT)];
    if (segment === 0) return 0;
    const tag = tagOf(indexHash);
    for (let offset = homeOf(indexHash); ; offset = nextOffset(offset)) {
      const slot = words[segment + offset];
      if (slot === EMPTY) return 0;
      if (!hasTag(slot, tag)) continue;
      const block = blockOf(slot);
      if (
        words[block + SEQUENCE_LOW] === low &&
        (words[block + MS_HIGH_SEQUENCE_HIGH] & 0xffff) === high
      )
        return block;
    }
  }

  /** Visits every record with this index hash. */
  withHash(partition: number, indexHash: number, visit: (record: number) => void): void {
    const words = this.words;
    const segment = words[directoryIndex(partition) + (indexHash >>> DIRECTORY_SHIFT)];
    if (segment === 0) return;
    const tag = tagOf(indexHash);
    for (let offset = homeOf(indexHash); ; offset = nextOffset(offset)) {
      const slot = words[segment + offset];
      if (slot === EMPTY) return;
      if (!hasTag(slot, tag)) continue;
      const block = blockOf(slot);
      if (indexHashOf(words[block + HASH], words[block + MAP_COUNTER] >>> 16) === indexHash)
        visit(block);
    }
  }

  /** Visits the records of one segment; returns the directory entry behind it, or the size as end. */
  scan(partition: number, cursor: number, visit: (record: number) => void): number {
    const words = this.words;
    const segment = words[directoryIndex(partition) + cursor];
    if (segment === 0) return DIRECTORY_SIZE;
    for (let i = segment + SEGMENT_SLOTS; i < segment + SEGMENT_WORDS; i++)
      if (isReference(words[i])) visit(blockOf(words[i]));
    return this.#entryBehind(segment);
  }

  /**
   * As `scan`, but stops before the record for which `visit` says false, to go on there. Writes leave
   * a standing record in its slot, so only a segment that was replaced meanwhile begins anew. Returns
   * false if it stopped within the segment.
   */
  scanFrom(partition: number, place: ScanPlace, visit: (record: number) => boolean): boolean {
    const words = this.words;
    const segment = words[directoryIndex(partition) + place.entry];
    if (segment !== place.segment || this.#reshape.versionOf(segment) !== place.version) {
      place.segment = segment;
      place.version = this.#reshape.versionOf(segment);
      place.offset = SEGMENT_SLOTS;
      place.segmentEnd = this.#entryBehind(segment);
    }
    for (; segment !== 0 && place.offset < SEGMENT_WORDS; place.offset++) {
      const slot = words[segment + place.offset];
      if (isReference(slot) && !visit(blockOf(slot))) return false;
    }
    place.entry = this.#entryBehind(segment);
    place.segment = 0;
    return true;
  }

  #entryBehind(segment: number): number {
    if (segment === 0) return DIRECTORY_SIZE;
    const first = this.words[segment + SEGMENT_PLACE] & (DIRECTORY_SIZE - 1);
    return first + (DIRECTORY_SIZE >> this.words[segment + SEGMENT_DEPTH]);
  }

  /** Records of a partition. */
  count(partition: number): number {
    const words = this.words;
    const directory = directoryIndex(partition);
    let live = 0;
    for (let entry = 0; entry < DIRECTORY_SIZE; ) {
      const segment = words[directory + entry];
      if (segment === 0) return 0;
      live += words[segment + SEGMENT_LIVE];
      entry += DIRECTORY_SIZE >> words[segment + SEGMENT_DEPTH];
    }
    return live;
  }

  /** What the home slot of an index hash refers to, any record's block; 0 if to nothing. */
  homeBlock(partition: number, indexHash: number): number {
    const segment = this.words[directoryIndex(partition) + (indexHash >>> DIRECTORY_SHIFT)];
    return segment === 0 ? 0 : blockOf(this.words[segment + homeOf(indexHash)]);
  }

  /** Attach: whether a slot refers to exactly this block. Any block may be asked for. */
  isLive(block: number): boolean {
    const words = this.words;
    const partition = partitionOf(words[block + HASH]);
    const indexHash = indexHashOf(words[block + HASH], words[block + MAP_COUNTER] >>> 16);
    const segment = words[directoryIndex(partition) + (indexHash >>> DIRECTORY_SHIFT)];
    if (segment === 0) return false;
    const wanted = packSlot(block, indexHash);
    for (let offset = homeOf(indexHash); ; offset = nextOffset(offset)) {
      const slot = words[segment + offset];
      if (slot === wanted) return true;
      if (slot === EMPTY) return false;
    }
  }

  /** Attach: whether the directory refers to this segment. Any block may be asked for. */
  isLiveSegment(block: number): boolean {
    const place = this.words[block + SEGMENT_PLACE];
    return place >= 0 && place < PLACES && this.words[directoryIndex(0) + place] === block;
  }

  /** Attach: counts a segment's slots anew. */
  recount(segment: number): void {
    const words = this.words;
    let used = 0;
    let live = 0;
    for (let i = segment + SEGMENT_SLOTS; i < segment + SEGMENT_WORDS; i++) {
      if (words[i] !== EMPTY) used++;
      if (isReference(words[i])) live++;
    }
    words[segment + SEGMENT_USED] = used;
    words[segment + SEGMENT_LIVE] = live;
  }
}
