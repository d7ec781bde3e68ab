import { assert } from '@tidewire/core';
import { UNIT_WORDS_LOG2 } from './arena-layout.js';

/**
 * Block sizes: every 16 bytes up to 256, then 8 sizes per doubling, so that rounding costs at most an
 * eighth. Spans are the smallest power of two of units that holds 8 blocks, up to 8 MiB.
 */
export const SIZE_CLASSES = 128;
/** The class of index segments; no record is that long. */
export const SEGMENT_CLASS = 127;

const STEP_WORDS_LOG2 = 2;
const STEPS_LINEAR = 16;
const SPAN_SIZE_LOG2_MAX = 7;
const SEGMENT_STEPS = 256;

const STEPS: Int32Array = Int32Array.from({ length: SIZE_CLASSES }, (_, sizeClass) =>
  stepsOf(sizeClass),
);
const SPAN_SIZES_LOG2: Int32Array = STEPS.map(spanSizeLog2);

/** The class of the smallest blocks that hold `words`. */
export function sizeClassOf(words: number): number {
  const steps = (words + 3) >> STEP_WORDS_LOG2;
  if (steps <= STEPS_LINEAR) return steps;
  const log2 = 31 - Math.clz32(steps - 1);
  const sizeClass = STEPS_LINEAR + 1 + ((log2 - 4) << 3) + ((steps - 1) >> (log2 - 3)) - 8;
  assert(sizeClass < SEGMENT_CLASS, 'record longer than the largest block');
  return sizeClass;
}

export function blockWords(sizeClass: number): number {
  return STEPS[sizeClass] << STEP_WORDS_LOG2;
}

/** Units of the class's spans, as a power of two. */
export function spanSizeLog2Of(sizeClass: number): number {
  return SPAN_SIZES_LOG2[sizeClass];
}

function stepsOf(sizeClass: number): number {
  if (sizeClass === SEGMENT_CLASS) return SEGMENT_STEPS;
  if (sizeClass <= STEPS_LINEAR) return sizeClass;
  const place = sizeClass - STEPS_LINEAR - 1;
  return ((place & 7) + 9) << ((place >> 3) + 1);
}

function spanSizeLog2(steps: number): number {
  const words = (steps << STEP_WORDS_LOG2) * 8;
  let log2 = 0;
  while (1 << (UNIT_WORDS_LOG2 + log2) < words && log2 < SPAN_SIZE_LOG2_MAX) log2++;
  return log2;
}
