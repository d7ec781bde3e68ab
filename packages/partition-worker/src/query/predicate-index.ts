import {
  type Access,
  accessPlanOf,
  compilePredicate,
  type Field,
  type Predicate,
  type QueriedRecord,
  type RecordTest,
} from '@tidewire/core';
import { EventKind } from '@tidewire/schemas';
import { AFTER, BEFORE, BOTH, Candidates } from './candidates.js';
import { eventKindOf } from './continuous-query.js';
import { doubled } from './doubled.js';
import { EntryChains, NO_CHAIN } from './entry-chains.js';
import { isFoundExactly } from './exact-access.js';
import { type FieldAccess, FieldIndex } from './field-index.js';
import { PathTree } from './path-tree.js';
import { TopicList } from './topic-list.js';

const ENTRIES_AT_FIRST = 64;

/** Where an entry stands in the index. */
interface Place {
  readonly access: Access;
  /** What to take it away by. */
  readonly links: readonly number[];
}

/** A registered predicate. */
interface Entry {
  readonly holds: RecordTest;
  readonly kind: CountedKind | undefined;
  readonly places: readonly Place[];
}

/**
 * Predicates by what finds them, the first access counting, those that never hold nowhere; since the
 * start, predicates found by changes and those of them that a change concerned.
 */
export type PredicateCounts = Record<CountedKind | 'found' | 'concerned', number>;

type CountedKind = 'equal' | 'range' | 'prefix' | 'linear';

const COUNTED_AS: Readonly<Record<Access['kind'], CountedKind>> = {
  equal: 'equal',
  element: 'equal',
  range: 'range',
  prefix: 'prefix',
  linear: 'linear',
};

export function noPredicates(): PredicateCounts {
  return { equal: 0, range: 0, prefix: 0, linear: 0, found: 0, concerned: 0 };
}

/**
 * Which of the predicates on one map a change concerns. Owned by one worker.
 *
 * A predicate has an entry, a small number, which stands wherever its accesses lead: at values, at
 * intervals, at prefixes of fields, or among those that are tried at every change. A change is looked
 * up with the record before and the record after; what is found on a side is tried on that side, and
 * what is not found there does not hold there. So a change costs what it has of values and what is
 * found by them, not what is registered.
 */
export class PredicateIndex {
  /** What the last change is to whom. */
  readonly entered: TopicList = new TopicList();
  readonly updated: TopicList = new TopicList();
  readonly left: TopicList = new TopicList();
  /** Of all indexes that share them. */
  readonly counts: PredicateCounts;
  readonly #chains: EntryChains = new EntryChains();
  readonly #found: Candidates = new Candidates(this.#chains);
  readonly #keys: FieldIndex = new FieldIndex(this.#chains);
  readonly #stamps: FieldIndex = new FieldIndex(this.#chains);
  readonly #values: PathTree = new PathTree(this.#chains);
  #linear = NO_CHAIN;
  readonly #entries: (Entry | undefined)[] = [];
  /** By entry: its topic, and 1 where what its accesses find need not be tried. */
  #topics: Int32Array = new Int32Array(ENTRIES_AT_FIRST);
  #isExact: Uint8Array = new Uint8Array(ENTRIES_AT_FIRST);
  readonly #freeEntries: number[] = [];
  readonly #entryOf: Map<number, number> = new Map(); // by topic
  readonly #onTry: () => void;

  /** `onTry` is called before a predicate is tried on a record: that may take long. */
  constructor(onTry: () => void = () => {}, counts: PredicateCounts = noPredicates()) {
    this.#onTry = onTry;
    this.counts = counts;
  }

  get size(): number {
    return this.#entryOf.size;
  }

  /** Registers a canonical predicate; saying it again changes nothing. */
  add(topic: number, predicate: Predicate): void {
    if (this.#entryOf.has(topic)) return;
    const entry = this.#freeEntries.pop() ?? this.#entries.length;
    const plan = accessPlanOf(predicate);
    const places = plan.map((access) => ({ access, links: this.#addPlace(access, entry) }));
    const kind = plan.length === 0 ? undefined : COUNTED_AS[plan[0].kind];
    this.#entries[entry] = { holds: compilePredicate(predicate), kind, places };
    if (entry === this.#topics.length) this.#grow();
    this.#topics[entry] = topic;
    this.#isExact[entry] = isFoundExactly(predicate, plan) ? 1 : 0;
    this.#entryOf.set(topic, entry);
    this.#found.reserve(this.#entries.length);
    if (kind !== undefined) this.counts[kind]++;
  }

  remove(topic: number): void {
    const entry = this.#entryOf.get(topic);
    if (entry === undefined) return;
    const { kind, places } = this.#entries[entry]!;
    for (const { access, links } of places) this.#removePlace(access, links);
    if (kind !== undefined) this.counts[kind]--;
    this.#entryOf.delete(topic);
    this.#entries[entry] = undefined;
    this.#freeEntries.push(entry);
  }

  /**
   * Finds the topics that a change concerns, left in `entered`, `updated` and `left`; returns how many.
   * A side without a record is undefined.
   */
  match(before: QueriedRecord | undefined, after: QueriedRecord | undefined): number {
    this.entered.clear();
    this.updated.clear();
    this.left.clear();
    this.#find(before, after);
    const { entries, count } = this.#found;
    for (let i = 0; i < count; i++) this.#tryEntry(entries[i], before, after);
    const concerned = this.entered.count + this.updated.count + this.left.count;
    this.counts.found += count;
    this.counts.concerned += concerned;
    this.#found.count = 0;
    return concerned;
  }

  #find(before: QueriedRecord | undefined, after: QueriedRecord | undefined): void {
    const found = this.#found;
    if (this.#keys.size > 0) this.#keys.find(before?.key, after?.key, found);
    if (this.#stamps.size > 0) this.#stamps.find(before?.stampMs, after?.stampMs, found);
    this.#values.find(before?.value, after?.value, found);
    found.side = BOTH;
    found.addChain(this.#linear);
  }

  #tryEntry(
    number: number,
    before: QueriedRecord | undefined,
    after: QueriedRecord | undefined,
  ): void {
    const sides = this.#found.takeSides(number);
    const heldBefore = (sides & BEFORE) !== 0 && this.#holds(number, before);
    const holdsAfter = (sides & AFTER) !== 0 && this.#holds(number, after);
    switch (eventKindOf(heldBefore, holdsAfter)) {
      case EventKind.ENTER:
        return this.entered.add(this.#topics[number]);
      case EventKind.UPDATE:
        return this.updated.add(this.#topics[number]);
      case EventKind.LEAVE:
        return this.left.add(this.#topics[number]);
    }
  }

  /** Whether an entry that was found by a record holds for it. */
  #holds(number: number, record: QueriedRecord | undefined): boolean {
    if (record === undefined) return false;
    if (this.#isExact[number] === 1) return true;
    this.#onTry();
    return this.#entries[number]!.holds(record);
  }

  #grow(): void {
    this.#topics = doubled(this.#topics);
    this.#isExact = doubled(this.#isExact);
  }

  #addPlace(access: Access, entry: number): number[] {
    if (access.kind !== 'linear') return this.#claimField(access.field).add(access, entry);
    this.#linear = this.#chains.add(this.#linear, entry);
    return [this.#linear];
  }

  #removePlace(access: Access, links: readonly number[]): void {
    if (access.kind === 'linear') this.#linear = this.#chains.remove(this.#linear, links[0]);
    else this.#removeFromField(access, links);
  }

  #removeFromField(access: FieldAccess, links: readonly number[]): void {
    const fields = this.#claimField(access.field);
    fields.remove(access, links);
    if (fields.size === 0 && access.field.kind === 'value')
      this.#values.release(access.field.steps);
  }

  #claimField(field: Field): FieldIndex {
    switch (field.kind) {
      case 'key':
        return this.#keys;
      case 'stamp':
        return this.#stamps;
      case 'value':
        return this.#values.claim(field.steps);
    }
  }
}
