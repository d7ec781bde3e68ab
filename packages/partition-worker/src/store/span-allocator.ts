import {
  type ArenaLayout,
  CLASS_FREE,
  CLASS_INSIDE,
  FREE_SPAN_SIZES,
  FREE_SPANS,
  FRONTIER,
  HOT_BLOCKS,
  ROOMY_SPANS,
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
} from './arena-layout.js';
import { blockWords, SEGMENT_CLASS, SIZE_CLASSES, spanSizeLog2Of } from './size-classes.js';

/**
 * Blocks out of spans. A span serves one size class from a free list and a bump pointer of its own;
 * spans with room are linked per class, and a span without a taken block goes back to the free spans
 * (which are halved where a smaller one is wanted, and not merged).
 *
 * Each class has at most one *hot* block outside the lists: the image that an overwrite has just
 * replaced. The next overwrite in the class takes it, touches no list, and finds it in the cache.
 *
 * `peek` and `take` are two steps, because the block must stand in an intent before it is taken.
 */
export class SpanAllocator {
  /** Units in spans that are not free. Private to the thread; counted anew on attach. */
  unitsUsed = 0;
  /** Units that must stay free; what remains serves those who may set it to 0. */
  unitsReserved = 0;
  readonly words: Int32Array;
  readonly #table: number;
  readonly #firstUnit: number;
  readonly #units: number;

  constructor(words: Int32Array, layout: ArenaLayout) {
    this.words = words;
    this.#table = layout.spanTable;
    this.#firstUnit = layout.firstUnit;
    this.#units = layout.units;
  }

  /** The block that `take` would take next, or 0 if the arena has no room for one. */
  peek(sizeClass: number): number {
    const words = this.words;
    const hot = words[HOT_BLOCKS + sizeClass];
    if (hot !== 0) return hot;
    let span = words[ROOMY_SPANS + sizeClass];
    if (span === 0) {
      span = this.#openSpan(sizeClass);
      if (span === 0) return 0;
    }
    const free = words[span + SPAN_FREE_BLOCK];
    return free !== 0 ? free : words[span + SPAN_BUMP];
  }

  /** Takes the block just peeked. A hot block stays noted as hot until `settle`. */
  take(sizeClass: number, block: number): void {
    const words = this.words;
    if (words[HOT_BLOCKS + sizeClass] === block) return;
    const span = words[ROOMY_SPANS + sizeClass];
    if (words[span + SPAN_FREE_BLOCK] === block) words[span + SPAN_FREE_BLOCK] = words[block];
    else words[span + SPAN_BUMP] = block + blockWords(sizeClass);
    words[span + SPAN_TAKEN] = words[span + SPAN_TAKEN] + 1;
    if (!this.hasRoom(span, sizeClass)) this.#unlist(span, sizeClass);
  }

  /** After `block` was published: it is not hot any more. */
  settle(sizeClass: number, block: number): void {
    if (this.words[HOT_BLOCKS + sizeClass] === block) this.words[HOT_BLOCKS + sizeClass] = 0;
  }

  /** As `settle`, and frees the block that `block` has replaced. */
  settleOver(sizeClass: number, block: number, oldClass: number, old: number): void {
    const words = this.words;
    if (words[HOT_BLOCKS + sizeClass] === block) {
      if (oldClass === sizeClass) {
        words[HOT_BLOCKS + sizeClass] = old;
        return;
      }
      words[HOT_BLOCKS + sizeClass] = 0;
    }
    this.free(oldClass, old);
  }

  /** Gives a block back. All its words but the first stay as they are until it is taken again. */
  free(sizeClass: number, block: number): void {
    const words = this.words;
    if (words[HOT_BLOCKS + sizeClass] === 0 && sizeClass !== SEGMENT_CLASS) {
      words[HOT_BLOCKS + sizeClass] = block;
      return;
    }
    const span = this.spanOf(block);
    words[block] = words[span + SPAN_FREE_BLOCK];
    words[span + SPAN_FREE_BLOCK] = block;
    words[span + SPAN_TAKEN] = words[span + SPAN_TAKEN] - 1;
    if (words[span + SPAN_LISTED] === 0) this.#list(span, sizeClass);
    if (words[span + SPAN_TAKEN] === 0) this.#closeSpan(span, sizeClass);
  }

  /** The table entry of the span that holds `block`. */
  spanOf(block: number): number {
    const entry = this.#table + ((block >>> UNIT_WORDS_LOG2) << SPAN_WORDS_LOG2);
    if (this.words[entry + SPAN_CLASS] !== CLASS_INSIDE) return entry;
    return this.#table + (this.words[entry + SPAN_SIZE_LOG2] << SPAN_WORDS_LOG2);
  }

  /** Index of the first word of the span. */
  spanStart(span: number): number {
    return this.#unitOf(span) << UNIT_WORDS_LOG2;
  }

  /** Index behind the last word of the span. */
  spanEnd(span: number): number {
    return (this.#unitOf(span) + (1 << this.words[span + SPAN_SIZE_LOG2])) << UNIT_WORDS_LOG2;
  }

  hasRoom(span: number, sizeClass: number): boolean {
    return (
      this.words[span + SPAN_FREE_BLOCK] !== 0 ||
      this.words[span + SPAN_BUMP] + blockWords(sizeClass) <= this.spanEnd(span)
    );
  }

  /** Links all spans anew from the span table, after a death or in a fresh arena. */
  relink(): void {
    const words = this.words;
    for (let sizeClass = 0; sizeClass < SIZE_CLASSES; sizeClass++)
      words[ROOMY_SPANS + sizeClass] = 0;
    for (let log2 = 0; log2 < FREE_SPAN_SIZES; log2++) words[FREE_SPANS + log2] = 0;
    this.unitsUsed = 0;
    for (let unit = this.#firstUnit; unit < words[FRONTIER]; ) {
      const span = this.#table + (unit << SPAN_WORDS_LOG2);
      const sizeClass = words[span + SPAN_CLASS];
      const size = 1 << words[span + SPAN_SIZE_LOG2];
      if (sizeClass === CLASS_FREE) this.#pool(span);
      else {
        this.unitsUsed += size;
        if (this.hasRoom(span, sizeClass)) this.#list(span, sizeClass);
        else words[span + SPAN_LISTED] = 0;
      }
      unit += size;
    }
  }

  #openSpan(sizeClass: number): number {
    const words = this.words;
    const log2 = spanSizeLog2Of(sizeClass);
    const unitsFree = this.#units - this.#firstUnit - this.unitsUsed;
    if (unitsFree - (1 << log2) < this.unitsReserved) return 0;
    let span = this.#unpool(log2);
    if (span === 0) {
      const unit = words[FRONTIER];
      if (unit + (1 << log2) > this.#units) return 0;
      span = this.#table + (unit << SPAN_WORDS_LOG2);
      this.#format(span, log2);
      words[span + SPAN_CLASS] = sizeClass;
      words[FRONTIER] = unit + (1 << log2);
    } else {
      this.#format(span, log2);
      words[span + SPAN_CLASS] = sizeClass;
    }
    this.unitsUsed += 1 << log2;
    this.#list(span, sizeClass);
    return span;
  }

  /** Everything of a new span but its class, which makes it one. */
  #format(span: number, log2: number): void {
    const words = this.words;
    const unit = this.#unitOf(span);
    for (let i = 1; i < 1 << log2; i++) {
      const inside = span + (i << SPAN_WORDS_LOG2);
      words[inside + SPAN_CLASS] = CLASS_INSIDE;
      words[inside + SPAN_SIZE_LOG2] = unit;
    }
    words[span + SPAN_SIZE_LOG2] = log2;
    words[span + SPAN_FREE_BLOCK] = 0;
    words[span + SPAN_BUMP] = unit << UNIT_WORDS_LOG2;
    words[span + SPAN_TAKEN] = 0;
  }

  #closeSpan(span: number, sizeClass: number): void {
    const words = this.words;
    const alone = words[span + SPAN_NEXT] === 0 && words[span + SPAN_PREVIOUS] === 0;
    if (alone) return; // a class keeps its last span, else one record could open and close it forever
    this.#unlist(span, sizeClass);
    this.unitsUsed -= 1 << words[span + SPAN_SIZE_LOG2];
    words[span + SPAN_CLASS] = CLASS_FREE;
    this.#pool(span);
  }

  /** The smallest free span of at least 2^log2 units, cut down to that; 0 if there is none. */
  #unpool(log2: number): number {
    const words = this.words;
    let from = log2;
    while (from < FREE_SPAN_SIZES && words[FREE_SPANS + from] === 0) from++;
    if (from === FREE_SPAN_SIZES) return 0;
    const span = this.#table + (words[FREE_SPANS + from] << SPAN_WORDS_LOG2);
    words[FREE_SPANS + from] = words[span + SPAN_NEXT];
    while (from > log2) {
      from--;
      const half = span + (1 << (from + SPAN_WORDS_LOG2));
      words[half + SPAN_CLASS] = CLASS_FREE;
      words[half + SPAN_SIZE_LOG2] = from;
      words[span + SPAN_SIZE_LOG2] = from; // last: until now the half is covered by this entry
      this.#pool(half);
    }
    return span;
  }

  #pool(span: number): void {
    const words = this.words;
    const log2 = words[span + SPAN_SIZE_LOG2];
    words[span + SPAN_LISTED] = 0;
    words[span + SPAN_NEXT] = words[FREE_SPANS + log2];
    words[FREE_SPANS + log2] = this.#unitOf(span);
  }

  #list(span: number, sizeClass: number): void {
    const words = this.words;
    const first = words[ROOMY_SPANS + sizeClass];
    words[span + SPAN_NEXT] = first;
    words[span + SPAN_PREVIOUS] = 0;
    words[span + SPAN_LISTED] = 1;
    if (first !== 0) words[first + SPAN_PREVIOUS] = span;
    words[ROOMY_SPANS + sizeClass] = span;
  }

  #unlist(span: number, sizeClass: number): void {
    const words = this.words;
    const next = words[span + SPAN_NEXT];
    const previous = words[span + SPAN_PREVIOUS];
    if (previous !== 0) words[previous + SPAN_NEXT] = next;
    else words[ROOMY_SPANS + sizeClass] = next;
    if (next !== 0) words[next + SPAN_PREVIOUS] = previous;
    words[span + SPAN_LISTED] = 0;
  }

  #unitOf(span: number): number {
    return (span - this.#table) >>> SPAN_WORDS_LOG2;
  }
}
