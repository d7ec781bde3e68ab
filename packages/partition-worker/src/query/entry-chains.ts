import { doubled } from './doubled.js';

const LINKS_AT_FIRST = 64;

/** The chain without a link. */
export const NO_CHAIN = 0;

/**
 * Chains of entries: which predicates stand at one place of the index. A chain is named by its first
 * link, so that a place costs one number, and a link leaves without a look at the others, however
 * long the chain.
 */
export class EntryChains {
  /** By link: the entry that stands there. */
  entries: Int32Array = new Int32Array(LINKS_AT_FIRST);
  /** By link: the link behind, or 0; of a link in no chain: the next free one. */
  next: Int32Array = new Int32Array(LINKS_AT_FIRST);
  #previous: Int32Array = new Int32Array(LINKS_AT_FIRST);
  #free = 0;
  #used = 1; // link 0 is none

  /** Puts an entry in front of a chain; returns its link, which names the chain from now on. */
  add(chain: number, entry: number): number {
    const link = this.#claim();
    this.entries[link] = entry;
    this.next[link] = chain;
    this.#previous[link] = 0;
    if (chain !== NO_CHAIN) this.#previous[chain] = link;
    return link;
  }

  /** Takes `link` out of its chain; returns the chain that is left. */
  remove(chain: number, link: number): number {
    const before = this.#previous[link];
    const behind = this.next[link];
    if (behind !== 0) this.#previous[behind] = before;
    if (before !== 0) this.next[before] = behind;
    this.next[link] = this.#free;
    this.#free = link;
    return before === 0 ? behind : chain;
  }

  #claim(): number {
    const link = this.#free;
    if (link !== 0) {
      this.#free = this.next[link];
      return link;
    }
    if (this.#used === this.entries.length) this.#grow();
    return this.#used++;
  }

  #grow(): void {
    this.entries = doubled(this.entries);
    this.next = doubled(this.next);
    this.#previous = doubled(this.#previous);
  }
}
