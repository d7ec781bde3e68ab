import { doubled } from './doubled.js';
import type { EntryChains } from './entry-chains.js';

const ENTRIES_AT_FIRST = 64;

/** The sides of a change on which an entry is found, as bits. */
export const BEFORE = 1;
export const AFTER = 2;
export const BOTH: number = BEFORE | AFTER;

/**
 * The entries that a change may concern, each once, whichever and how many accesses lead to it. An
 * entry that is not found on a side does not hold there.
 */
export class Candidates {
  /** Side of the values that are looked up at present. */
  side: number = BOTH;
  count = 0;
  /** `count` of them count. */
  entries: Int32Array = new Int32Array(ENTRIES_AT_FIRST);
  /** By entry: the sides on which it was found. All are 0 between two changes. */
  #sides: Uint8Array = new Uint8Array(ENTRIES_AT_FIRST);
  readonly #chains: EntryChains;

  constructor(chains: EntryChains) {
    this.#chains = chains;
  }

  /** Makes room, so that looking up needs no check. REQUIRES: every entry is below `entries`. */
  reserve(entries: number): void {
    while (this.entries.length < entries) {
      this.entries = doubled(this.entries);
      this.#sides = doubled(this.#sides);
    }
  }

  addChain(chain: number): void {
    const { next, entries } = this.#chains;
    for (let link = chain; link !== 0; link = next[link]) this.#add(entries[link]);
  }

  /** The sides on which `entry` was found; forgotten by that. */
  takeSides(entry: number): number {
    const sides = this.#sides[entry];
    this.#sides[entry] = 0;
    return sides;
  }

  #add(entry: number): void {
    const sides = this.#sides[entry];
    if (sides === 0) this.entries[this.count++] = entry;
    this.#sides[entry] = sides | this.side;
  }
}
