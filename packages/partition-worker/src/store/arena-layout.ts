import { assert, PARTITIONS } from '@tidewire/core';

/**
 * The arena of one worker: a SharedArrayBuffer seen as 32-bit words. Every place in it is a word
 * index; 0 lies in the control page and stands for "nothing". Only the owning worker writes.
 *
 *     control page   1024 words          see below
 *     partitions     271 × 16            a cache line each
 *     directory      271 × 256           segment of the hashes with these top 8 bits, or 0
 *     journals       271 × entries       index hash of the change with sequence s, at s & (entries − 1)
 *     span table     units × 8           one entry per 64 KiB unit of the arena
 *     spans          the rest            blocks of one size class each
 *
 * Truth is what an index slot refers to. All else in here can be derived and is repaired on attach.
 */

// Control page.
export const MAGIC = 0;
export const MAGIC_VALUE = 0x54573031;
export const JOURNAL_ENTRIES_WORD = 1;
/** First unit that was never part of a span. */
export const FRONTIER = 2;
/** What the write under way, or the last one, is about (see intent.ts). */
export const INTENT = 64;
/** The same for a change of the index's shape (see key-index.ts). */
export const RESHAPE = 80;
/** Per class one free block outside its span's lists, or 0. */
export const HOT_BLOCKS = 128;
/** Per class the first span with room, as the index of its entry, or 0. */
export const ROOMY_SPANS = 256;
/** Per power of two the first free span of that many units, as a unit, or 0. */
export const FREE_SPANS = 384;
export const FREE_SPAN_SIZES = 12;
/** Writes that happen together (see write-group.ts). */
export const GROUP = 512;

// Partition words. Numbers of 48 bits lie low before high.
const PARTITIONS_INDEX = 1024;
const PARTITION_WORDS_LOG2 = 4;
export const SEQUENCE = 0;
/** The journal knows every change above this sequence, as far as it reaches back. */
export const JOURNAL_FROM = 2;
/** The highest sequence and the highest stamp of its tombstones that were collected. */
export const COLLECTED_SEQUENCE = 4;
export const COLLECTED_MS = 6;
export const COLLECTED_COUNTER = 8;
export const COLLECTED_NODE = 9;

// Directory. A segment is chosen by the top 8 bits of an index hash.
const DIRECTORY = 8192;
export const DIRECTORY_BITS = 8;
export const DIRECTORY_SIZE: number = 1 << DIRECTORY_BITS;
export const DIRECTORY_SHIFT: number = 32 - DIRECTORY_BITS;

// Segments: four words of head, then slots.
export const SEGMENT_WORDS = 1024;
/** Slots that are not empty. */
export const SEGMENT_USED = 0;
/** Leading bits of the index hash that all its records share. */
export const SEGMENT_DEPTH = 1;
/** Partition (24 bits) | first directory entry that refers to it (8). */
export const SEGMENT_PLACE = 2;
/** Slots that refer to a record. */
export const SEGMENT_LIVE = 3;
export const SEGMENT_SLOTS = 4;

const JOURNALS: number = DIRECTORY + (PARTITIONS << DIRECTORY_BITS);

// Span table entry. Lists link entries by their index, free spans by their unit.
export const SPAN_WORDS_LOG2 = 3;
export const SPAN_CLASS = 0;
export const CLASS_FREE = 0;
/** The unit belongs to the span that begins at the unit in SPAN_SIZE_LOG2's place. */
export const CLASS_INSIDE = -1;
export const SPAN_SIZE_LOG2 = 1;
/** First free block; a free block's first word is the next one. */
export const SPAN_FREE_BLOCK = 2;
/** Blocks from here on were never taken. */
export const SPAN_BUMP = 3;
/** Blocks taken: live or hot. */
export const SPAN_TAKEN = 4;
export const SPAN_NEXT = 5;
export const SPAN_PREVIOUS = 6;
/** 1: in the list of its class's spans with room. */
export const SPAN_LISTED = 7;

export const UNIT_WORDS_LOG2 = 14;
export const UNIT_BYTES: number = 4 << UNIT_WORDS_LOG2;

/** One part in so many of an arena is kept for overwrites and removes. */
const RESERVE_DIVISOR = 64;

/** Words behind the last unit, so that a touch of any block stays inside the arena. */
const MARGIN_WORDS = 64;

/** The places that depend on the arena's size and its journals' length. */
export class ArenaLayout {
  readonly journalEntries: number;
  readonly spanTable: number;
  readonly firstUnit: number;
  /** Units of the arena, those before `firstUnit` included. */
  readonly units: number;
  /** Of those, kept for overwrites and removes once new keys are refused. */
  readonly unitsReserved: number;

  constructor(arenaBytes: number, journalEntries: number) {
    assert((journalEntries & (journalEntries - 1)) === 0, 'journal entries are masked');
    this.journalEntries = journalEntries;
    this.spanTable = JOURNALS + PARTITIONS * journalEntries;
    this.unitsReserved = Math.ceil(arenaBytes / UNIT_BYTES / RESERVE_DIVISOR);
    this.units = (arenaBytes / 4 - MARGIN_WORDS) >>> UNIT_WORDS_LOG2;
    const tableEnd = this.spanTable + (this.units << SPAN_WORDS_LOG2);
    this.firstUnit = Math.ceil(tableEnd / (1 << UNIT_WORDS_LOG2));
    assert(this.firstUnit < this.units, 'arena too small');
  }
}

export function partitionIndex(partition: number): number {
  return PARTITIONS_INDEX + (partition << PARTITION_WORDS_LOG2);
}

export function directoryIndex(partition: number): number {
  return DIRECTORY + (partition << DIRECTORY_BITS);
}

export function journalIndex(partition: number, journalEntries: number): number {
  return JOURNALS + partition * journalEntries;
}
