import type { Candidates } from './candidates.js';
import { doubled } from './doubled.js';
import { IntervalTree, SOUGHT } from './interval-tree.js';
import { numberAbove, numberBelow } from './neighbour-number.js';

const NODES_AT_FIRST = 16;

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
  #lows: Float64Array = new Float64Array(NODES_AT_FIRST);
  #highs: Float64Array = new Float64Array(NODES_AT_FIRST);

  /** Returns the link to remove it by; 0 for an interval that holds nothing. */
  add(interval: Interval<number>, entry: number): number {
    return this.#seek(interval) ? this.addSought(entry) : 0;
  }

  remove(interval: Interval<number>, link: number): void {
    if (this.#seek(interval)) this.removeSought(link);
  }

  find(value: number, found: Candidates): void {
    if (Number.isNaN(value)) return;
    this.#lows[SOUGHT] = value;
    this.findSought(found);
  }

  /** False if it holds nothing. */
  #seek({ low, lowInclusive, high, highInclusive }: Interval<number>): boolean {
    if (low === Number.POSITIVE_INFINITY && !lowInclusive) return false;
    if (high === Number.NEGATIVE_INFINITY && !highInclusive) return false;
    const first = low ?? Number.NEGATIVE_INFINITY;
    const last = high ?? Number.POSITIVE_INFINITY;
    this.#lows[SOUGHT] = lowInclusive || low === undefined ? first : numberAbove(first);
    this.#highs[SOUGHT] = highInclusive || high === undefined ? last : numberBelow(last);
    return this.#lows[SOUGHT] <= this.#highs[SOUGHT];
  }

  protected override compare(left: number, right: number): number {
    return (
      orderOf(this.#lows[left], this.#lows[right]) || orderOf(this.#highs[left], this.#highs[right])
    );
  }

  protected override endsLater(left: number, right: number): boolean {
    return this.#highs[left] > this.#highs[right];
  }

  protected override beginsBehind(node: number): boolean {
    return this.#lows[node] > this.#lows[SOUGHT];
  }

  protected override endsBefore(node: number): boolean {
    return this.#highs[node] < this.#lows[SOUGHT];
  }

  protected override keep(node: number): void {
    if (node === this.#lows.length) {
      this.#lows = doubled(this.#lows);
      this.#highs = doubled(this.#highs);
    }
    this.#lows[node] = this.#lows[SOUGHT];
    this.#highs[node] = this.#highs[SOUGHT];
  }
}

function orderOf(left: number, right: number): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
