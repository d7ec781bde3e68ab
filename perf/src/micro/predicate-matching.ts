import {
  canonicalPredicate,
  type Field,
  type Literal,
  type Predicate,
  type QueriedRecord,
} from '@tidewire/core';
import { PredicateIndex } from '@tidewire/partition-worker/predicate-index';
import { drawRanks } from '../load/distribution.js';
import { SEED } from '../load/random.js';

/** Predicates of one group hold for the same records: a change concerns them all. */
const PREDICATES_A_GROUP = 4;
const VALUE_BYTES = 100;

const ID: Field = { kind: 'value', steps: ['id'] };
const SCORE: Field = { kind: 'value', steps: ['score'] };

/** A map with predicates on it, half equalities and half ranges, and changes that each concern four. */
export class PredicateMatching {
  readonly index: PredicateIndex = new PredicateIndex();
  /** Values before and after each change, as JSON of 100 bytes. */
  readonly texts: readonly (readonly [string, string])[];
  readonly #records: readonly (readonly [QueriedRecord, QueriedRecord])[];

  constructor(predicates: number, changes: number) {
    const groups = Math.ceil(predicates / PREDICATES_A_GROUP);
    for (let topic = 0; topic < predicates; topic++)
      this.index.add(topic, canonicalPredicate(predicateOf(topic)));
    const ranks = drawRanks('uniform', groups, SEED, changes);
    this.texts = Array.from(ranks, (group, i) => [valueText(group, i), valueText(group, i + 1)]);
    this.#records = this.texts.map(([before, after]) => [recordOf(before), recordOf(after)]);
  }

  /** Matches one change, values parsed before; returns how many predicates it concerned. */
  match(change: number): number {
    const [before, after] = this.#records[change];
    return this.index.match(before, after);
  }

  /** Parses both values of a change and matches them. */
  parseAndMatch(change: number): number {
    const [before, after] = this.texts[change];
    return this.index.match(recordOf(before), recordOf(after));
  }
}

function predicateOf(topic: number): Predicate {
  const group = Math.floor(topic / PREDICATES_A_GROUP);
  switch (topic % PREDICATES_A_GROUP) {
    case 0:
      return { kind: 'eq', field: ID, literal: group };
    case 1:
      return { kind: 'in', field: ID, literals: [group, -1 - group] };
    case 2:
      return { kind: 'between', field: SCORE, low: group, high: group + 0.5 };
    default:
      return { kind: 'all', predicates: [score('ge', group), score('lt', group + 1)] };
  }
}

function score(kind: 'ge' | 'lt', literal: Literal): Predicate {
  return { kind, field: SCORE, literal };
}

function valueText(group: number, version: number): string {
  const members = `"id":${group},"score":${group + 0.25},"version":${version}`;
  const rest = VALUE_BYTES - members.length - 11;
  return `{${members},"text":"${'x'.repeat(rest)}"}`;
}

function recordOf(text: string): QueriedRecord {
  return { key: 'k', stampMs: 0, value: JSON.parse(text) };
}
