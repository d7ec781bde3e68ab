import type { Candidates } from './candidates.js';
import { doubled } from './doubled.js';
import { IntervalTree, NO_NODE, SOUGHT } from './interval-tree.js';
import { numberAbove, numberBelow } from './neighbour-number.js';

const NODES_AT_FIRST = 16;

// Numbers of a node.
const LOW = 0;
const HIGH = 1;
const LAST = 2; // where the last of its subtree ends
const NODE_NUMBERS_LOG2 = 2;

/** Where the sought interval, or value, stands. */
const SOUGHT_LOW: number = (SOUGHT << NODE_NUMBERS_LOG2) + LOW;
const SOUGHT_HIGH: number = (SOUGHT << NODE_NUMBERS_LOG2) + HIGH;

/** An interval of one order; an end that is missing is open for ever. */
export interface Interval<T> {
  readonly low: T | undefined;
  readonly lowInclusive: boolean;
  readonly high: T | undefined;
  readonly highInclusive: boolean;
}

/**
 * Entries by interval of numbers. Both ends are kept as belonging to it: what is above 18 begins
 * with the number after 18.
 */
export class NumberIntervals extends IntervalTree {
  #ends: Float64Array = new Float64Array(NODES_AT_FIRST << NODE_NUMBERS_LOG2);

  /** Returns the link to remove it by; 0 for an interval that holds nothing. */
  add(interval: Interval<number>, entry: number): number {
    return this.#seek(interval) ? this.addSought(entry) : 0;
  }

  remove(interval: Interval<number>, link: number): void {
    if (this.#seek(interval)) this.removeSought(link);
  }

  find(value: number, found: Candidates): void {
    if (Number.isNaN(value)) return;
    this.#ends[SOUGHT_LOW] = value;
    this.findSought(found);
  }

  /** False if it holds nothing. */
  #seek({ low, lowInclusive, high, highInclusive }: Interval<number>): boolean {
    if (low === Number.POSITIVE_INFINITY && !lowInclusive) return false;
    if (high === Number.NEGATIVE_INFINITY && !highInclusive) return false;
    const first = low ?? Number.NEGATIVE_INFINITY;
    const last = high ?? Number.POSITIVE_INFINITY;
    this.#ends[SOUGHT_LOW] = lowInclusive || low === undefined ? first : numberAbove(first);
    this.#ends[SOUGHT_HIGH] = highInclusive || high === undefined ? last : numberBelow(last);
    return this.#ends[SOUGHT_LOW] <= this.#ends[SOUGHT_HIGH];
  }

  protected override compare(left: number, right: number): number {
    const ends = this.#ends;
    const one = left << NODE_NUMBERS_LOG2;
    const other = right << NODE_NUMBERS_LOG2;
    return (
      orderOf(ends[one + LOW], ends[other + LOW]) || orderOf(ends[one + HIGH], ends[other + HIGH])
    );
  }

  protected override beginsBehind(node: number): boolean {
    return this.#ends[(node << NODE_NUMBERS_LOG2) + LOW] > this.#ends[SOUGHT_LOW];
  }

  protected override endsBefore(node: number): boolean {
    return this.#ends[(node << NODE_NUMBERS_LOG2) + HIGH] < this.#ends[SOUGHT_LOW];
  }

  protected override allEndBefore(node: number): boolean {
    return this.#ends[(node << NODE_NUMBERS_LOG2) + LAST] < this.#ends[SOUGHT_LOW];
  }

  protected override settleLast(node: number, left: number, right: number): void {
    const at = node << NODE_NUMBERS_LOG2;
    let last = this.#ends[at + HIGH];
    if (left !== NO_NODE) last = Math.max(last, this.#lastOf(left));
    if (right !== NO_NODE) last = Math.max(last, this.#lastOf(right));
    this.#ends[at + LAST] = last;
  }

  protected override keep(node: number): void {
    const at = node << NODE_NUMBERS_LOG2;
    if (at === this.#ends.length) this.#ends = doubled(this.#ends);
    this.#ends[at + LOW] = this.#ends[SOUGHT_LOW];
    this.#ends[at + HIGH] = this.#ends[SOUGHT_HIGH];
  }

  #lastOf(node: number): number {
    return this.#ends[(node << NODE_NUMBERS_LOG2) + LAST];
  }
}

function orderOf(left: number, right: number): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
