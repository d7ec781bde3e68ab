import { INTENT } from './arena-layout.js';
import { blockOf } from './index-slot.js';

const KIND: number = INTENT;
const POSITION: number = INTENT + 1;
const SLOT: number = INTENT + 2;
const BLOCK: number = INTENT + 3;
const REPLACED: number = INTENT + 4;

/** For whom a write is made: what has to be told of it after a death. */
export const IntentKind = {
  /** Nobody: recovery, and removals that only free memory. */
  NONE: 0,
  /** The operation at a request ring position. */
  REQUEST: 1,
  /** The end of a record's lifetime. */
  SWEEP: 2,
  /** The operation at a request ring position, and all that WriteGroup lists. */
  GROUP: 3,
} as const;
export type IntentKind = (typeof IntentKind)[keyof typeof IntentKind];

/**
 * Names the slot and the blocks of the write under way, before a block is taken. It may be stale or
 * half-written, as it only says where to look: the truth is whether the slot refers to the block.
 *
 * KIND is cleared first and stored last. Else a death in between would pair the position of one
 * operation with the block of the one before, which *was* published.
 */
export class Intent {
  readonly words: Int32Array;

  constructor(words: Int32Array) {
    this.words = words;
  }

  /** Blocks are 0 where the write has none. */
  declare(kind: IntentKind, position: number, slot: number, block: number, replaced: number): void {
    const words = this.words;
    words[KIND] = IntentKind.NONE;
    words[SLOT] = slot;
    words[BLOCK] = block;
    words[REPLACED] = replaced;
    words[POSITION] = position;
    words[KIND] = kind;
  }

  /** Whether the operation at this request position has been published. */
  isPublished(position: number): boolean {
    const words = this.words;
    return (
      words[KIND] === IntentKind.REQUEST &&
      words[POSITION] === position &&
      blockOf(words[this.slot]) === this.block
    );
  }

  /** The one word by which a group of writes happens, and who asked for them. */
  commitGroup(position: number): void {
    const { words } = this;
    words[KIND] = IntentKind.NONE;
    words[POSITION] = position;
    Atomics.store(words, KIND, IntentKind.GROUP); // release: the list and its records are complete
  }

  /** A group was committed, and nothing was written since. */
  get isGroup(): boolean {
    return this.words[KIND] === IntentKind.GROUP;
  }

  isGroupOf(position: number): boolean {
    return this.isGroup && this.words[POSITION] === position;
  }

  /** Whether a sweep has been published of which `conclude` was not said. */
  isSweepPublished(): boolean {
    const words = this.words;
    return words[KIND] === IntentKind.SWEEP && blockOf(words[this.slot]) === this.block;
  }

  /** Nobody has to be told of the write any more. */
  conclude(): void {
    this.words[KIND] = IntentKind.NONE;
  }

  get slot(): number {
    return this.words[SLOT];
  }

  get block(): number {
    return this.words[BLOCK];
  }

  get replaced(): number {
    return this.words[REPLACED];
  }
}
