import type { Literal } from '@tidewire/core';
import type { Candidates } from './candidates.js';
import { type EntryChains, NO_CHAIN } from './entry-chains.js';

/** Entries by the value that they ask for. 1, "1" and true are three values, 0 and −0 one. */
export class ValueTable {
  readonly #chains: EntryChains;
  readonly #chainOf: Map<unknown, number> = new Map();

  constructor(chains: EntryChains) {
    this.#chains = chains;
  }

  get size(): number {
    return this.#chainOf.size;
  }

  /** Returns the link to remove it by; 0 for NaN, which nothing equals. */
  add(literal: Literal, entry: number): number {
    if (Number.isNaN(literal)) return 0;
    const link = this.#chains.add(this.#chainOf.get(literal) ?? NO_CHAIN, entry);
    this.#chainOf.set(literal, link);
    return link;
  }

  remove(literal: Literal, link: number): void {
    if (link === 0) return;
    const left = this.#chains.remove(this.#chainOf.get(literal) ?? NO_CHAIN, link);
    if (left === NO_CHAIN) this.#chainOf.delete(literal);
    else this.#chainOf.set(literal, left);
  }

  find(value: unknown, found: Candidates): void {
    const chain = this.#chainOf.get(value);
    if (chain !== undefined) found.addChain(chain);
  }
}
