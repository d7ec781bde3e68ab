import { compareText } from '@tidewire/core';
import type { Candidates } from './candidates.js';
import { IntervalTree, NO_NODE, SOUGHT } from './interval-tree.js';
import type { Interval } from './number-intervals.js';

/**
 * Entries by interval of texts. The low end is kept as belonging to it and the high end as not: the
 * text after another is that text with a NUL behind.
 */
export class TextIntervals extends IntervalTree {
  readonly #lows: string[] = [''];
  readonly #highs: (string | undefined)[] = [undefined]; // undefined: behind all texts
  readonly #lasts: (string | undefined)[] = [undefined]; // where the last of the subtree ends

  /** Returns the link to remove it by; 0 for an interval that holds nothing. */
  add(interval: Interval<string>, entry: number): number {
    return this.#seek(interval) ? this.addSought(entry) : 0;
  }

  remove(interval: Interval<string>, link: number): void {
    if (this.#seek(interval)) this.removeSought(link);
  }

  find(value: string, found: Candidates): void {
    this.#lows[SOUGHT] = value;
    this.findSought(found);
  }

  /** False if it holds nothing. */
  #seek({ low, lowInclusive, high, highInclusive }: Interval<string>): boolean {
    const first = low === undefined || lowInclusive ? (low ?? '') : after(low);
    const end = high !== undefined && highInclusive ? after(high) : high;
    this.#lows[SOUGHT] = first;
    this.#highs[SOUGHT] = end;
    return compareHighs(first, end) < 0;
  }

  protected override compare(left: number, right: number): number {
    return (
      compareText(this.#lows[left], this.#lows[right]) ||
      compareHighs(this.#highs[left], this.#highs[right])
    );
  }

  protected override beginsBehind(node: number): boolean {
    return compareText(this.#lows[node], this.#lows[SOUGHT]) > 0;
  }

  protected override endsBefore(node: number): boolean {
    return compareHighs(this.#highs[node], this.#lows[SOUGHT]) <= 0;
  }

  protected override allEndBefore(node: number): boolean {
    return compareHighs(this.#lasts[node], this.#lows[SOUGHT]) <= 0;
  }

  protected override settleLast(node: number, left: number, right: number): void {
    let last = this.#highs[node];
    for (const child of [left, right])
      if (child !== NO_NODE && compareHighs(this.#lasts[child], last) > 0)
        last = this.#lasts[child];
    this.#lasts[node] = last;
  }

  protected override keep(node: number): void {
    this.#lows[node] = this.#lows[SOUGHT];
    this.#highs[node] = this.#highs[SOUGHT];
  }
}

function after(text: string): string {
  return `${text}\0`;
}

function compareHighs(left: string | undefined, right: string | undefined): number {
  if (left === undefined) return right === undefined ? 0 : 1;
  return right === undefined ? -1 : compareText(left, right);
}
