import { COUNTER_MAX, Code, NODE_MAX, STAMP_MS_MAX } from '@tidewire/core';
import { TidewireError } from './error.js';

/** The time of a write: hybrid logical clock and the writer's node; ordered in this sequence. */
export interface Stamp {
  /** Milliseconds since 1970, near the server's physical time. */
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
}

/** @throws TidewireError INVALID unless it is one. */
export function checkedStamp(stamp: Stamp): Stamp {
  const { ms, counter, node } = stamp;
  const sound =
    isWholeUpTo(ms, STAMP_MS_MAX) &&
    isWholeUpTo(counter, COUNTER_MAX) &&
    isWholeUpTo(node, NODE_MAX);
  if (sound && ms + counter > 0 && node > 0) return stamp;
  throw new TidewireError(Code.INVALID, `${JSON.stringify(stamp)} is not a stamp.`);
}

function isWholeUpTo(number: number, max: number): boolean {
  return Number.isInteger(number) && number >= 0 && number <= max;
}

/** Below 0 if `left` is the earlier one. */
export function compareStamps(left: Stamp, right: Stamp): number {
  return left.ms - right.ms || left.counter - right.counter || left.node - right.node;
}
