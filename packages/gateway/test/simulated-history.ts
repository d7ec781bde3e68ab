import type { ReferenceView } from './reference-view.js';

/** One change as the server has answered it. */
export interface Change {
  readonly key: string;
  readonly partition: number;
  readonly sequence: bigint;
  /** Undefined: removed. */
  readonly value: string | undefined;
  readonly operation: object;
}

export type Matches = (key: string, value: string) => boolean;

/** All changes of one map that stand, and what views of it may hold. */
export class SimulatedHistory {
  #changes: Change[] = [];
  readonly #byKey: Map<string, Change[]> = new Map();
  /** Changes up to here survive every start. */
  #durable = 0;

  get changes(): readonly Change[] {
    return this.#changes;
  }

  add(change: Change): void {
    this.#changes.push(change);
    const changes = this.#byKey.get(change.key) ?? [];
    this.#byKey.set(change.key, changes);
    changes.push(change);
  }

  /** Loses the last change of each partition for which `isLost` says so; what is left is durable. */
  lose(isLost: (change: Change) => boolean): void {
    const kept = this.#changes.slice(0, this.#durable);
    const broken = new Set<number>();
    for (const change of this.#changes.slice(this.#durable)) {
      if (isLost(change)) broken.add(change.partition);
      if (!broken.has(change.partition)) kept.push(change);
    }
    this.#changes = [];
    this.#byKey.clear();
    for (const change of kept) this.add(change);
    this.#durable = kept.length;
  }

  /** What a view of all that matches holds once it has heard everything. */
  standing(matches: Matches): Map<string, string> {
    const values = new Map<string, string>();
    for (const [key, changes] of this.#byKey) {
      const value = changes.at(-1)?.value;
      if (value !== undefined && matches(key, value)) values.set(key, value);
    }
    return values;
  }

  /** Of a view that was told this progress: it has heard everything up to it. Else what is wrong. */
  faultOf(
    view: ReferenceView,
    matches: Matches,
    delivered: ReadonlyMap<number, bigint>,
  ): string | undefined {
    for (const [key, changes] of this.#byKey) {
      const upTo = delivered.get(changes[0].partition) ?? 0n;
      const from = changes.findLastIndex(({ sequence }) => sequence <= upTo);
      if (from < 0) continue;
      const state = view.states.get(key);
      const isPossible = changes.slice(from).some(({ sequence, value }) => {
        const stands = value !== undefined && matches(key, value);
        if (state === undefined || !stands) return state === undefined && !stands;
        return state.sequence === sequence && state.value === value;
      });
      if (!isPossible) return `${key}: told ${upTo}, holds ${state?.sequence} ${state?.value}`;
    }
    return undefined;
  }
}
