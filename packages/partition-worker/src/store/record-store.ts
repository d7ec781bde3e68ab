import { assert, JOURNAL_ENTRIES, PARTITIONS, partitionOf } from '@tidewire/core';
import { type CollectionMark, copyWords, Operation, RecordLayout } from '@tidewire/core/threads';
import {
  ArenaLayout,
  DIRECTORY_SIZE,
  FRONTIER,
  JOURNAL_ENTRIES_WORD,
  MAGIC,
  MAGIC_VALUE,
  UNIT_BYTES,
} from './arena-layout.js';
import { attach } from './attach.js';
import { ChangeJournal } from './change-journal.js';
import { compareImages } from './image-order.js';
import { IndexReshape } from './index-reshape.js';
import { indexHashOf } from './index-slot.js';
import { Intent, IntentKind } from './intent.js';
import { KeyIndex } from './key-index.js';
import { PartitionNumbers } from './partition-numbers.js';
import type { ScanPlace } from './scan-place.js';
import { sizeClassOf } from './size-classes.js';
import { SpanAllocator } from './span-allocator.js';
import { WriteGroup } from './write-group.js';
import { writeImage, writtenWords } from './write-image.js';

const {
  FLAG_LEFT,
  FLAG_TOMBSTONE,
  HASH,
  HEADER_WORDS,
  LENGTHS,
  MS_HIGH_SEQUENCE_HIGH,
  NODE_FLAGS,
  SEQUENCE_LOW,
} = RecordLayout;

/** The record of a key that has none. */
export const ABSENT = 0;
/** What `put` and `restore` return when the arena has no room; nothing has changed. */
export const FULL = 0;
/** What `scanSlice` returns behind the last segment. */
export const SCAN_END: number = DIRECTORY_SIZE;
const TOUCHES_MAX = 32;

/**
 * The records of one worker, off the heap, in an arena that outlives the thread. One thread uses it.
 *
 * Records are immutable. A write puts a new block beside the old one and publishes it by one store
 * into an index slot, so after a death at any store the arena holds the state before the write or
 * the state after it. The order of a write:
 *
 *     1. give the index room (a change of its own)     4. the record, with the next sequence
 *     2. peek a block, declare the intent              5. the journal entry
 *     3. take the block                                6. publish; then sequence, counters, old block
 *
 * A record is named by the index of its first word in `words` (see RecordLayout). It stays where it
 * is, unchanged, until its key is written again; the block that a write has replaced keeps all words
 * but the first until the next write.
 */
export class RecordStore {
  /** The arena. Read records in it; write through the store only. */
  readonly words: Int32Array;
  /** Keeps the reads of a touch from being optimised away. */
  touched = 0;
  readonly #layout: ArenaLayout;
  readonly #numbers: PartitionNumbers;
  readonly #spans: SpanAllocator;
  readonly #reshape: IndexReshape;
  readonly #index: KeyIndex;
  readonly #journal: ChangeJournal;
  readonly #intent: Intent;
  readonly #group: WriteGroup;
  readonly #touches: Int32Array = new Int32Array(TOUCHES_MAX);
  #touchCount = 0;
  #recordsLive = 0;
  #indexHash = 0;
  #sizeClass = 0;

  /** Formats a zeroed arena, or attaches to a used one and makes it whole. */
  constructor(arena: SharedArrayBuffer, options: { journalEntries?: number } = {}) {
    const words = new Int32Array(arena);
    this.words = words;
    this.#layout = new ArenaLayout(arena.byteLength, options.journalEntries ?? JOURNAL_ENTRIES);
    this.#numbers = new PartitionNumbers(words);
    this.#spans = new SpanAllocator(words, this.#layout);
    this.#reshape = new IndexReshape(words, this.#spans);
    this.#index = new KeyIndex(words, this.#reshape);
    this.#journal = new ChangeJournal(words, this.#layout, this.#numbers, this.#index);
    this.#intent = new Intent(words);
    this.#group = new WriteGroup({
      words,
      layout: this.#layout,
      numbers: this.#numbers,
      spans: this.#spans,
      index: this.#index,
      journal: this.#journal,
      intent: this.#intent,
    });
    if (words[MAGIC] === 0) this.#format();
    else this.#attach();
  }

  // Reading.

  /** The record of a key, tombstones included, or 0. The key lies zero-padded in `keyWords`. */
  find(
    partition: number,
    mapId: number,
    hash: number,
    keyWords: Int32Array,
    keyIndex: number,
    keyLength: number,
  ): number {
    return this.#index.find(partition, mapId, hash, keyWords, keyIndex, keyLength);
  }

  /** `find` of the key of a record that stands, for the write or the removal that follows. */
  findAgain(record: number): number {
    const { words } = this;
    const hash = words[record + HASH];
    const mapId = RecordLayout.mapIdOf(words, record);
    const keyLength = RecordLayout.keyLengthOf(words[record + LENGTHS]);
    return this.find(partitionOf(hash), mapId, hash, words, record + HEADER_WORDS, keyLength);
  }

  /**
   * Reads the home slot of an operation to come, for a group of up to 32 of them; `touchRecords` then
   * reads what the slots refer to. So the processor fetches the lines of all at once, before the
   * operations need them one by one.
   */
  touch(mapId: number, hash: number): void {
    const i = this.#touchCount++ & (TOUCHES_MAX - 1);
    this.#touches[i] = this.#index.homeBlock(partitionOf(hash), indexHashOf(hash, mapId));
  }

  /** Ends a group of touches. */
  touchRecords(): void {
    const words = this.words;
    const count = Math.min(this.#touchCount, TOUCHES_MAX);
    let touched = 0;
    for (let i = 0; i < count; i++) {
      const record = this.#touches[i];
      touched ^= words[record] ^ words[record + 16] ^ words[record + 32];
    }
    this.touched ^= touched;
    this.#touchCount = 0;
  }

  /** How the index, the journal and `recordsWithHash` name a key. */
  indexHashOf(hash: number, mapId: number): number {
    return indexHashOf(hash, mapId);
  }

  /** Visits every record of the partition whose index hash this is. */
  recordsWithHash(partition: number, indexHash: number, visit: (record: number) => void): void {
    this.#index.withHash(partition, indexHash, visit);
  }

  /**
   * Visits the partition's records piece by piece: one segment (at most 1,020 records) a call, from
   * `cursor` 0 on. Returns the next cursor, SCAN_END at the end. Writes between the calls do not
   * make it miss or repeat a record that stands throughout.
   */
  scanSlice(partition: number, cursor: number, visit: (record: number) => void): number {
    return this.#index.scan(partition, cursor, visit);
  }

  /**
   * As `scanSlice`, but stops before the record for which `visit` says false. False if it did; the
   * partition is through once `place.entry` is SCAN_END. May repeat records, never misses one.
   */
  scanFrom(partition: number, place: ScanPlace, visit: (record: number) => boolean): boolean {
    return this.#index.scanFrom(partition, place, visit);
  }

  // Changes.

  /** The sequence of the partition's last change. */
  sequence(partition: number): number {
    return this.#numbers.sequence(partition);
  }

  /** The journal has every change above this sequence, as far as it reaches back. */
  journalFrom(partition: number): number {
    return this.#numbers.journalFrom(partition);
  }

  /** Whether the journal has every change above `from`. */
  journalReaches(partition: number, from: number): boolean {
    return this.#journal.reaches(partition, from);
  }

  /** The index hash of the change that took `sequence`; only where the journal reaches. */
  journalEntry(partition: number, sequence: number): number {
    return this.#journal.indexHashAt(partition, sequence);
  }

  /** The record that took this sequence, or 0 if its key has changed since. */
  recordAt(partition: number, sequence: number): number {
    return this.#journal.recordAt(partition, sequence);
  }

  /**
   * Visits, by ascending sequence, the records whose sequence is above `from`. False, without a
   * visit, if the journal does not reach back so far: then only a scan tells.
   */
  changesSince(partition: number, from: number, visit: (record: number) => void): boolean {
    if (!this.#journal.reaches(partition, from)) return false;
    const last = this.#numbers.sequence(partition);
    for (let sequence = from + 1; sequence <= last; sequence++) {
      const record = this.#journal.recordAt(partition, sequence);
      if (record !== 0) visit(record);
    }
    return true;
  }

  // Writing.

  /**
   * Writes the OPERATION at `request[at]` over `old`, what the `find` of its key just returned, or 0.
   * No other call may lie between the two. `flags` are the record's; a tombstone has no value.
   * Returns the new record, or FULL.
   */
  put(
    old: number,
    request: Int32Array,
    at: number,
    partition: number,
    flags: number,
    requestPosition: number,
  ): number {
    const length = writtenWords(request, at, flags);
    const mapId = request[at + Operation.MAP_KIND_FLAGS] >>> 16;
    this.#indexHash = indexHashOf(request[at + Operation.HASH], mapId);
    // New keys stop short of the end, so that removes and overwrites go on in a full arena.
    this.#spans.unitsReserved = old === 0 ? this.#layout.unitsReserved : 0;
    const record = this.#claim(old, partition, length, IntentKind.REQUEST, requestPosition);
    this.#spans.unitsReserved = 0;
    if (record === 0) return FULL;
    const low = this.#numbers.nextSequenceLow(partition);
    const high = this.#numbers.nextSequenceHigh(partition, low);
    writeImage(this.words, record, request, at, flags, low, high);
    this.#journal.append(partition, low, this.#indexHash);
    this.#publish(record, old);
    this.#numbers.takeSequence(partition, low, high);
    this.#settle(record, old);
    return record;
  }

  /**
   * After an attach, before any write: the record that the operation at this request position has
   * published, or ABSENT if it has not happened. `settledOld` is what it replaced, whole but for the
   * first word, or ABSENT.
   */
  settled(requestPosition: number): number {
    return this.#intent.isPublished(requestPosition) ? this.#intent.block : ABSENT;
  }

  /** What `settled` or `swept` has replaced. */
  get settledOld(): number {
    return this.#intent.replaced;
  }

  // Writes of several keys of one partition that all happen or none (see WriteGroup).

  beginGroup(): void {
    this.#group.begin();
  }

  /** As `put`, but nothing happens before `commitGroup`. False: full, and `abandonGroup` is due. */
  addToGroup(
    old: number,
    request: Int32Array,
    at: number,
    partition: number,
    flags: number,
  ): boolean {
    return this.#group.add(old, request, at, partition, flags);
  }

  abandonGroup(): void {
    this.#group.abandon();
  }

  commitGroup(requestPosition: number): void {
    this.#recordsLive += this.#group.commit(requestPosition);
  }

  /** After an attach, before any write: whether the group of the operation at this position stands. */
  hasSettledGroup(requestPosition: number): boolean {
    return this.#intent.isGroupOf(requestPosition);
  }

  /** The records of the group that was added to last, and what each has replaced. */
  get group(): Pick<WriteGroup, 'count' | 'recordAt' | 'replacedAt'> {
    return this.#group;
  }

  /**
   * Ends the lifetime of `old`, what the `find` of its key just returned: writes a tombstone over it that
   * keeps its stamp, which in the order of writes makes it the newer one. No other call may lie
   * between the two. Returns the tombstone, or FULL.
   */
  sweep(old: number): number {
    const words = this.words;
    const partition = partitionOf(words[old + HASH]);
    const keyLength = RecordLayout.keyLengthOf(words[old + LENGTHS]);
    this.#indexHash = indexHashOf(words[old + HASH], RecordLayout.mapIdOf(words, old));
    const length = RecordLayout.imageWordsFor(keyLength, false, 0);
    const record = this.#claim(old, partition, length, IntentKind.SWEEP, 0);
    if (record === 0) return FULL;
    const low = this.#numbers.nextSequenceLow(partition);
    const high = this.#numbers.nextSequenceHigh(partition, low);
    copyWords(words, old, words, record, HEADER_WORDS + RecordLayout.wordsOf(keyLength));
    words[record + NODE_FLAGS] = (words[old + NODE_FLAGS] & ~0xff) | FLAG_TOMBSTONE;
    words[record + SEQUENCE_LOW] = low;
    words[record + MS_HIGH_SEQUENCE_HIGH] =
      (words[old + MS_HIGH_SEQUENCE_HIGH] & 0xffff0000) | high;
    words[record + LENGTHS] = RecordLayout.packLengths(keyLength, 0);
    this.#journal.append(partition, low, this.#indexHash);
    this.#publish(record, old);
    this.#numbers.takeSequence(partition, low, high);
    this.#settle(record, old);
    return record;
  }

  /**
   * The client of a presence record has gone, and there is no room to end it: the mark outlives this
   * instance. One word, so that it is made wholly or not at all.
   */
  markLeft(record: number): void {
    this.words[record + NODE_FLAGS] |= FLAG_LEFT;
  }

  /** After an attach, before any write: the tombstone of a sweep that nobody may know of, or ABSENT. */
  swept(): number {
    return this.#intent.isSweepPublished() ? this.#intent.block : ABSENT;
  }

  /** The sweep just made has been told. */
  concludeSweep(): void {
    this.#intent.conclude();
  }

  /**
   * Recovery: takes in the record image at `source[at]`, its sequence included, unless the key has a
   * newer one. No journal entry: the journal counts as complete from this sequence on only. Returns
   * the record that stands now, or FULL.
   */
  restore(source: Int32Array, at: number): number {
    const hash = source[at + HASH];
    const mapId = RecordLayout.mapIdOf(source, at);
    const partition = partitionOf(hash);
    const keyLength = RecordLayout.keyLengthOf(source[at + LENGTHS]);
    const old = this.find(partition, mapId, hash, source, at + HEADER_WORDS, keyLength);
    const sequence = RecordLayout.sequenceOf(source, at);
    this.#numbers.raiseJournalFrom(partition, sequence); // first: a change without an entry follows
    if (old !== 0 && compareImages(source, at, this.words, old) <= 0) {
      this.#numbers.raiseSequence(partition, sequence);
      return old;
    }
    const length = RecordLayout.imageWords(source, at);
    this.#indexHash = indexHashOf(hash, mapId);
    const record = this.#claim(old, partition, length, IntentKind.NONE, 0);
    if (record === 0) return FULL;
    copyWords(source, at, this.words, record, length);
    this.#publish(record, old);
    this.#numbers.raiseSequence(partition, sequence);
    this.#settle(record, old);
    return record;
  }

  /** End of a partition's recovery: its changes go on above `sequence`. */
  startPartition(partition: number, sequence: number): void {
    this.#numbers.raiseJournalFrom(partition, sequence);
    this.#numbers.raiseSequence(partition, sequence);
    this.#numbers.raiseJournalFrom(partition, this.#numbers.sequence(partition));
  }

  /** Forgets the record that the `find` just before has returned. Takes no sequence. */
  remove(record: number): void {
    const words = this.words;
    const sizeClass = sizeClassOf(RecordLayout.imageWords(words, record));
    this.#intent.declare(IntentKind.NONE, 0, this.#index.slot, 0, record);
    this.#index.withdraw();
    this.#recordsLive--;
    this.#spans.free(sizeClass, record);
  }

  // What was collected: tombstones that have been forgotten.

  /** The highest sequence and the highest stamp of the partition's collected tombstones. */
  collected(partition: number): CollectionMark {
    return this.#numbers.collected(partition);
  }

  /** Whether a tombstone with this stamp or a later one may have been collected. */
  isCollected(partition: number, ms: number, counter: number, node: number): boolean {
    return this.#numbers.isCollected(partition, ms, counter, node);
  }

  /** Neither the sequence nor the stamp ever falls. Before the tombstones are removed. */
  raiseCollected(mark: CollectionMark): void {
    this.#numbers.raiseCollected(mark);
  }

  // Size.

  /** Records in the arena, tombstones included. */
  get recordsLive(): number {
    return this.#recordsLive;
  }

  /** 64 KiB units of the arena in use, or set aside for blocks of a size that is. */
  get spansUsed(): number {
    return this.#layout.firstUnit + this.#spans.unitsUsed;
  }

  get bytesUsed(): number {
    return this.spansUsed * UNIT_BYTES;
  }

  get bytesTotal(): number {
    return this.#layout.units * UNIT_BYTES;
  }

  /** Steps 1 to 3 of a write; returns the block to write into, or 0. */
  #claim(
    old: number,
    partition: number,
    length: number,
    kind: IntentKind,
    requestPosition: number,
  ): number {
    if (old === 0 && !this.#index.reserve(partition, this.#indexHash)) return 0;
    const sizeClass = sizeClassOf(length);
    const block = this.#spans.peek(sizeClass);
    if (block === 0) return 0;
    this.#sizeClass = sizeClass;
    this.#intent.declare(kind, requestPosition, this.#index.slot, block, old);
    this.#spans.take(sizeClass, block);
    return block;
  }

  #publish(record: number, old: number): void {
    const before = this.words[this.#index.slot];
    this.#index.publish(record, this.#indexHash);
    if (old !== 0) return;
    this.#index.countInsert(before);
    this.#recordsLive++;
  }

  #settle(record: number, old: number): void {
    if (old === 0) {
      this.#spans.settle(this.#sizeClass, record);
      return;
    }
    const oldClass = sizeClassOf(RecordLayout.imageWords(this.words, old));
    this.#spans.settleOver(this.#sizeClass, record, oldClass, old);
  }

  #format(): void {
    this.words[JOURNAL_ENTRIES_WORD] = this.#layout.journalEntries;
    this.words[FRONTIER] = this.#layout.firstUnit;
    Atomics.store(this.words, MAGIC, MAGIC_VALUE); // release: the rest of a fresh arena is 0
  }

  #attach(): void {
    const words = this.words;
    assert(words[MAGIC] === MAGIC_VALUE, 'not an arena');
    assert(words[JOURNAL_ENTRIES_WORD] === this.#layout.journalEntries, 'arena of other journals');
    attach({
      words,
      layout: this.#layout,
      numbers: this.#numbers,
      spans: this.#spans,
      index: this.#index,
      reshape: this.#reshape,
      intent: this.#intent,
      group: this.#group,
    });
    for (let partition = 0; partition < PARTITIONS; partition++)
      this.#recordsLive += this.#index.count(partition);
  }
}
