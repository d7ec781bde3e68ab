import { GROUP_RECORDS_MAX, partitionOf } from '@tidewire/core';
import { Operation, RecordLayout } from '@tidewire/core/threads';
import { type ArenaLayout, GROUP } from './arena-layout.js';
import type { ChangeJournal } from './change-journal.js';
import { indexHashOf, isReference } from './index-slot.js';
import type { Intent } from './intent.js';
import type { KeyIndex } from './key-index.js';
import type { PartitionNumbers } from './partition-numbers.js';
import { sizeClassOf } from './size-classes.js';
import type { SpanAllocator } from './span-allocator.js';
import { writeImage, writtenWords } from './write-image.js';

const { HASH, HEADER_WORDS, LENGTHS, MS_HIGH_SEQUENCE_HIGH, SEQUENCE_LOW } = RecordLayout;
const COUNT: number = GROUP;
/** Entries of 2 words: the new block, and the record that it replaces or 0. */
const ENTRIES: number = GROUP + 1;
const ENTRY_WORDS = 2;

/**
 * Writes to several keys of one partition that all happen or none of them: each is prepared (its block
 * listed, taken and written), then one word commits them all (see Intent), then they are published one
 * by one. A death before the commit leaves blocks that nobody refers to, and that the list names; one
 * after it is rolled forward by `finish`. Nothing else may be written between the first `add` and
 * `commit` or `abandon`.
 */
export class WriteGroup {
  readonly words: Int32Array;
  readonly #layout: ArenaLayout;
  readonly #numbers: PartitionNumbers;
  readonly #spans: SpanAllocator;
  readonly #index: KeyIndex;
  readonly #journal: ChangeJournal;
  readonly #intent: Intent;
  #inserts = 0;

  constructor(parts: {
    words: Int32Array;
    layout: ArenaLayout;
    numbers: PartitionNumbers;
    spans: SpanAllocator;
    index: KeyIndex;
    journal: ChangeJournal;
    intent: Intent;
  }) {
    this.words = parts.words;
    this.#layout = parts.layout;
    this.#numbers = parts.numbers;
    this.#spans = parts.spans;
    this.#index = parts.index;
    this.#journal = parts.journal;
    this.#intent = parts.intent;
  }

  /** Records prepared, or written last. */
  get count(): number {
    return this.words[COUNT];
  }

  recordAt(i: number): number {
    return this.words[ENTRIES + i * ENTRY_WORDS];
  }

  /** What that record has replaced, whole but for the first word, or ABSENT. */
  replacedAt(i: number): number {
    return this.words[ENTRIES + i * ENTRY_WORDS + 1];
  }

  begin(): void {
    this.#intent.conclude(); // first: an earlier group's commit must not meet this one's list
    this.words[COUNT] = 0;
    this.#inserts = 0;
  }

  /**
   * Prepares the write of the OPERATION at `request[at]` over `old`, what the `find` of its key just
   * returned. False: there is no room, and the group must be abandoned.
   */
  add(old: number, request: Int32Array, at: number, partition: number, flags: number): boolean {
    const { words } = this;
    const count = words[COUNT];
    const sizeClass = sizeClassOf(writtenWords(request, at, flags));
    this.#spans.unitsReserved = old === 0 ? this.#layout.unitsReserved : 0;
    const hasPlace = old !== 0 || this.#reserve(request, at, partition);
    const block = hasPlace && count < GROUP_RECORDS_MAX ? this.#spans.peek(sizeClass) : 0;
    this.#spans.unitsReserved = 0;
    if (block === 0) return false;
    words[ENTRIES + count * ENTRY_WORDS] = block;
    words[ENTRIES + count * ENTRY_WORDS + 1] = old;
    words[COUNT] = count + 1; // before the block is taken
    this.#spans.take(sizeClass, block);
    this.#spans.settle(sizeClass, block); // a hot block serves one write only
    const sequence = this.#numbers.sequence(partition) + count + 1;
    const low = RecordLayout.lowWord(sequence);
    writeImage(words, block, request, at, flags, low, RecordLayout.highWord(sequence));
    return true;
  }

  /** Nothing of it happens. */
  abandon(): void {
    for (let i = 0; i < this.count; i++) this.#free(this.recordAt(i));
    this.words[COUNT] = 0;
  }

  /** All of it happens, for the operation at this request position. Returns the keys that are new. */
  commit(requestPosition: number): number {
    this.#intent.commitGroup(requestPosition);
    for (let i = 0; i < this.count; i++) this.#publish(this.recordAt(i));
    for (let i = 0; i < this.count; i++)
      if (this.replacedAt(i) !== 0) this.#free(this.replacedAt(i));
    return this.#inserts;
  }

  /** Attach: publishes what a committed group has not published. May be repeated. */
  finish(): void {
    if (!this.#intent.isGroup) return;
    for (let i = 0; i < this.count; i++) {
      const record = this.recordAt(i);
      if (this.#find(record) !== record) this.#publish(record);
      this.#index.recount(this.#index.segment);
      const sequence = RecordLayout.sequenceOf(this.words, record);
      this.#numbers.raiseSequence(partitionOf(this.words[record + HASH]), sequence);
    }
  }

  /** Sees to it that this new key and those before it find a slot, wherever they come to lie. */
  #reserve(request: Int32Array, at: number, partition: number): boolean {
    const mapId = request[at + Operation.MAP_KIND_FLAGS] >>> 16;
    const indexHash = indexHashOf(request[at + Operation.HASH], mapId);
    if (!this.#index.reserve(partition, indexHash)) return false;
    return this.#index.fits(this.#index.segment, this.#inserts++);
  }

  #publish(record: number): void {
    const { words } = this;
    const hash = words[record + HASH];
    const partition = partitionOf(hash);
    const indexHash = indexHashOf(hash, RecordLayout.mapIdOf(words, record));
    const low = words[record + SEQUENCE_LOW];
    this.#find(record);
    const before = words[this.#index.slot];
    this.#journal.append(partition, low, indexHash);
    this.#index.publish(record, indexHash);
    if (!isReference(before)) this.#index.countInsert(before);
    this.#numbers.takeSequence(partition, low, words[record + MS_HIGH_SEQUENCE_HIGH] & 0xffff);
  }

  /** Where the record's key stands. */
  #find(record: number): number {
    const { words } = this;
    const hash = words[record + HASH];
    const mapId = RecordLayout.mapIdOf(words, record);
    const keyLength = RecordLayout.keyLengthOf(words[record + LENGTHS]);
    const key = record + HEADER_WORDS;
    return this.#index.find(partitionOf(hash), mapId, hash, words, key, keyLength);
  }

  #free(block: number): void {
    this.#spans.free(sizeClassOf(RecordLayout.imageWords(this.words, block)), block);
  }
}
