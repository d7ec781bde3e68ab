import assert from 'node:assert/strict';
import { type Event, EventKind, StartFrom } from '@tidewire/schemas';
import type { Followed, ReferenceClient } from './reference-client.js';
import type { Matches, SimulatedHistory, Told } from './simulated-history.js';

/** Compares what clients are told and hold with a history. */
export class ViewChecks {
  readonly matches: WeakMap<Followed, Matches> = new WeakMap();
  /** Values before that were as they had been. */
  olds = 0;
  readonly #history: SimulatedHistory;

  constructor(history: SimulatedHistory) {
    this.#history = history;
  }

  /** Everything has been read: the view is what stands. */
  atEnd(one: Followed, nowMs: number): void {
    assert.ok(one.isDone, `subscription ${one.id} is not complete`);
    const expected = this.#history.standing(this.#matchesOf(one), nowMs);
    const held = new Map([...one.view.states].map(([key, { value }]) => [key, value]));
    if (one.wish.start === StartFrom.NOW)
      for (const key of expected.keys()) if (!held.has(key)) expected.delete(key);
    assert.deepEqual(sorted(held), sorted(expected), `subscription ${one.id}`);
  }

  /** What a Progress speaks of has come. */
  onProgress(client: ReferenceClient, told: Told): void {
    for (const one of client.followed.values()) {
      if (!one.isDone || one.wish.start === StartFrom.NOW) continue;
      const fault = this.#history.faultOf(one.view, this.#matchesOf(one), told);
      assert.equal(fault, undefined, `subscription ${one.id}: Progress before its events`);
    }
  }

  /** Of a predicate: whether it held before and holds after, and the value before if that was asked for. */
  onEvent(one: Followed, { kind, key, sequence, oldValue }: Event): void {
    const { before, after } = this.#history.around(key, sequence);
    const { where, withOld, maxHz } = one.wish;
    if (where === undefined || maxHz !== 0) return;
    const matches = this.#matchesOf(one);
    const holds = (value: string | undefined): boolean =>
      value !== undefined && matches(key, value);
    const name = `subscription ${one.id}: ${sequence} of ${key}`;
    assert.equal(kind, kindOf(holds(before?.value), holds(after.value)), name);
    if (!withOld || kind === EventKind.ENTER) return;
    assert.equal(Buffer.from(oldValue).toString(), before?.value, `${name}, the value before`);
    this.olds++;
  }

  #matchesOf(one: Followed): Matches {
    return this.matches.get(one) as Matches;
  }
}

/** What a change is to whom it concerns; undefined: it concerns nobody. */
function kindOf(heldBefore: boolean, holdsAfter: boolean): EventKind | undefined {
  if (holdsAfter) return heldBefore ? EventKind.UPDATE : EventKind.ENTER;
  return heldBefore ? EventKind.LEAVE : undefined;
}

function sorted(values: ReadonlyMap<string, string>): [string, string][] {
  return [...values].sort(([left], [right]) => (left < right ? -1 : 1));
}
