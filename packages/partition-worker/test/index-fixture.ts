import { Candidates } from '#lib/query/candidates.js';
import { EntryChains } from '#lib/query/entry-chains.js';

/** What the structures of an index stand on, with room for `entries`. */
export class IndexFixture {
  readonly chains: EntryChains = new EntryChains();
  readonly found: Candidates = new Candidates(this.chains);

  constructor(entries: number) {
    this.found.reserve(entries);
  }

  /** What `look` finds, ascending, each once. */
  by(look: (found: Candidates) => void): number[] {
    look(this.found);
    return this.take();
  }

  /** What was found so far, ascending; nothing is any more. */
  take(): number[] {
    const entries = [...this.found.entries.subarray(0, this.found.count)];
    for (const entry of entries) this.found.takeSides(entry);
    this.found.count = 0;
    return entries.sort((left, right) => left - right);
  }
}

/** The same value, and the names that were looked for in it. */
export function watched(target: object): { value: object; looks: Set<string | symbol> } {
  const looks = new Set<string | symbol>();
  const value = new Proxy(target, {
    get(target, name) {
      looks.add(name);
      return Reflect.get(target, name);
    },
    getOwnPropertyDescriptor(target, name) {
      looks.add(name);
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
  });
  return { value, looks };
}
