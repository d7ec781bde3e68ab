import assert from 'node:assert/strict';
import { type Event, EventKind } from '@tidewire/schemas';
import type { ReferenceView } from './reference-view.js';

/** One change as the server has told it. */
export interface Change {
  readonly key: string;
  readonly partition: number;
  readonly sequence: bigint;
  /** Undefined: removed, or its lifetime is over. */
  readonly value: string | undefined;
  readonly stamp: bigint;
  readonly node: number;
  /** 0: never. */
  readonly expiresAtMs: number;
}

export function changeOf(event: Event): Change {
  const { kind, key, partition, sequence, stamp, node } = event;
  const isEnd = kind === EventKind.REMOVE;
  const value = isEnd ? undefined : Buffer.from(event.value).toString();
  const expiresAtMs = Number(event.expiresAtMs);
  return { key, partition, sequence, value, stamp, node, expiresAtMs };
}

/** A Progress, and when it came. */
export interface Told {
  readonly delivered: ReadonlyMap<number, bigint>;
  readonly nowMs: number;
}

export type Matches = (key: string, value: string) => boolean;

/** All changes of one map that stand, and what views of it may hold. */
export class SimulatedHistory {
  #changes: Change[] = [];
  readonly #byKey: Map<string, Change[]> = new Map();
  readonly #reached: Map<number, bigint> = new Map();

  get changes(): readonly Change[] {
    return this.#changes;
  }

  /** The next change of its partition: no other may have been left out before it. */
  add(change: Change): void {
    const { key, partition, sequence } = change;
    const reached = this.#reached.get(partition) ?? 0n;
    assert.equal(sequence, reached + 1n, `${key}: nobody was told what came before`);
    this.#reached.set(partition, sequence);
    this.#changes.push(change);
    const changes = this.#byKey.get(key) ?? [];
    this.#byKey.set(key, changes);
    changes.push(change);
  }

  latest(key: string): Change | undefined {
    return this.#byKey.get(key)?.at(-1);
  }

  /** The change of that sequence, and the one of the same key before it. */
  around(key: string, sequence: bigint): { before: Change | undefined; after: Change } {
    const changes = this.#byKey.get(key) ?? [];
    const index = changes.findIndex((change) => change.sequence === sequence);
    assert.notEqual(index, -1, `${key}: ${sequence} is no change`);
    return { before: changes[index - 1], after: changes[index] };
  }

  /** Loses what lies above these sequences. */
  loseAbove(durable: ArrayLike<number>): void {
    const kept = this.#changes.filter(
      ({ partition, sequence }) => sequence <= BigInt(durable[partition]),
    );
    this.#changes = [];
    this.#byKey.clear();
    this.#reached.clear();
    for (const change of kept) this.add(change);
  }

  /** What a view of all that matches holds once it has heard everything. */
  standing(matches: Matches, nowMs: number): Map<string, string> {
    const values = new Map<string, string>();
    for (const [key, changes] of this.#byKey) {
      const { value, expiresAtMs } = changes.at(-1) as Change;
      const isOver = value === undefined || (expiresAtMs > 0 && expiresAtMs <= nowMs);
      if (!isOver && matches(key, value)) values.set(key, value);
    }
    return values;
  }

  /** Of a view that was told this progress: it has heard everything up to it. Else what is wrong. */
  faultOf(view: ReferenceView, matches: Matches, told: Told): string | undefined {
    for (const [key, changes] of this.#byKey) {
      const upTo = told.delivered.get(changes[0].partition) ?? 0n;
      const from = changes.findLastIndex(({ sequence }) => sequence <= upTo);
      if (from < 0) continue;
      const state = view.states.get(key);
      const isPossible = changes.slice(from).some(({ sequence, value, expiresAtMs }) => {
        const stands = value !== undefined && matches(key, value);
        const mayBeOver = !stands || (expiresAtMs > 0 && expiresAtMs <= told.nowMs);
        if (state === undefined) return mayBeOver;
        return stands && state.sequence === sequence && state.value === value;
      });
      if (!isPossible) return `${key}: told ${upTo}, holds ${state?.sequence} ${state?.value}`;
    }
    return undefined;
  }
}
