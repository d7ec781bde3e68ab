import { SEGMENT_SLOTS, SEGMENT_WORDS } from './arena-layout.js';

/**
 * A slot of the index: 0 empty, 1 deleted, else the block's index in units of four words (28 bits)
 * and a tag of the index hash (4).
 *
 *     index hash   bits 31–24 directory · 13–10 tag · 9–0 home slot
 */
export const EMPTY = 0;
export const DELETED = 1;
const TAG_MASK = 15;
const TAG_SHIFT = 10;
const MAP_FACTOR = 0x9e3779b1 | 0;

/** The same key in two maps has one hash, so the map is mixed in. */
export function indexHashOf(hash: number, mapId: number): number {
  return hash ^ Math.imul(mapId, MAP_FACTOR);
}

export function tagOf(indexHash: number): number {
  return (indexHash >>> TAG_SHIFT) & TAG_MASK;
}

/** Where probing begins, within a segment. */
export function homeOf(indexHash: number): number {
  const home = indexHash & (SEGMENT_WORDS - 1);
  return Math.max(home, SEGMENT_SLOTS);
}

/** Where probing goes on behind `offset`. */
export function nextOffset(offset: number): number {
  return offset === SEGMENT_WORDS - 1 ? SEGMENT_SLOTS : offset + 1;
}

export function packSlot(block: number, indexHash: number): number {
  return (block << 2) | tagOf(indexHash);
}

export function isReference(slot: number): boolean {
  return (slot & ~TAG_MASK) !== 0;
}

export function hasTag(slot: number, tag: number): boolean {
  return (slot & TAG_MASK) === tag && (slot & ~TAG_MASK) !== 0;
}

/** The block that a slot refers to; a word of the control page if it refers to none. */
export function blockOf(slot: number): number {
  return (slot >>> 4) << 2;
}
