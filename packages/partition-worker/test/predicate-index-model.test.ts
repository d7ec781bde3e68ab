import {
  accessPlanOf,
  canonicalPredicate,
  checkPredicate,
  compilePredicate,
  type Predicate,
  type QueriedRecord,
  type RecordTest,
} from '@tidewire/core';
import t from 'tap';
import { isFoundExactly } from '#lib/query/exact-access.js';
import { PredicateIndex } from '#lib/query/predicate-index.js';
import type { TopicList } from '#lib/query/topic-list.js';
import { RandomPredicates } from './random-predicate.js';
import { randomFrom } from './store-fixture.js';

const SEED = Number(process.env['SEED'] ?? 1);
const STEPS = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 6_000 : 200_000;
const OUTCOMES = ['enter', 'update', 'leave'] as const;
const ACCESSES = ['equal', 'element', 'range', 'prefix', 'linear'] as const;

type Outcome = (typeof OUTCOMES)[number];

interface Listed {
  readonly predicate: Predicate;
  readonly holds: RecordTest;
}

/** Topics by outcome, ascending. */
type Outcomes = Record<Outcome, number[]>;

/** What the index should say: every predicate is tried on both sides. */
function rescan(
  list: ReadonlyMap<number, Listed>,
  before: QueriedRecord | undefined,
  after: QueriedRecord | undefined,
): Outcomes {
  const outcomes: Outcomes = { enter: [], update: [], leave: [] };
  for (const [topic, { holds }] of list) {
    const held = before !== undefined && holds(before);
    const holdsNow = after !== undefined && holds(after);
    if (holdsNow) outcomes[held ? 'update' : 'enter'].push(topic);
    else if (held) outcomes.leave.push(topic);
  }
  return outcomes;
}

function ascending({ topics, count }: TopicList): number[] {
  return [...topics.subarray(0, count)].sort((left, right) => left - right);
}

function outcomesOf(index: PredicateIndex): Outcomes {
  const { entered, updated, left } = index;
  return { enter: ascending(entered), update: ascending(updated), leave: ascending(left) };
}

/** Which accesses, exact or not, led to which outcome. */
class Coverage {
  readonly seen: Set<string> = new Set();

  note(list: ReadonlyMap<number, Listed>, outcomes: Outcomes): void {
    for (const outcome of OUTCOMES)
      for (const topic of outcomes[outcome]) {
        const { predicate } = list.get(topic)!;
        const plan = accessPlanOf(predicate);
        const exact = isFoundExactly(predicate, plan) ? 'exact' : 'tried';
        for (const { kind } of plan) this.seen.add(`${kind} ${exact} ${outcome}`);
      }
  }

  missing(): string[] {
    const wanted = ACCESSES.flatMap((access) =>
      OUTCOMES.flatMap((outcome) =>
        access === 'linear'
          ? [`${access} tried ${outcome}`]
          : [`${access} exact ${outcome}`, `${access} tried ${outcome}`],
      ),
    );
    return wanted.filter((name) => !this.seen.has(name));
  }
}

for (const hasManyNames of [false, true])
  t.test(
    `INDEX-9: the index agrees with a rescan at every change, ${hasManyNames ? 'many' : 'few'} names, seed ${SEED}`,
    async (t) => {
      const random = randomFrom(SEED);
      const make = new RandomPredicates(random, hasManyNames);
      const index = new PredicateIndex();
      const list = new Map<number, Listed>();
      const coverage = new Coverage();
      let before: QueriedRecord | undefined;
      let wrong = 0;
      for (let step = 0; step < STEPS && wrong === 0; step++) {
        const isGrowing = (step >> 10) % 2 === 0;
        if (list.size === 0 || random(100) < (isGrowing ? 65 : 35)) {
          const predicate = make.predicate();
          checkPredicate(predicate);
          const canonical = canonicalPredicate(predicate);
          list.set(step, { predicate: canonical, holds: compilePredicate(canonical) });
          index.add(step, canonical);
        } else {
          const [topic] = list.keys();
          list.delete(topic);
          index.remove(topic);
        }
        const after = make.next(before);
        const expected = rescan(list, before, after);
        const concerned = index.match(before, after);
        const found = outcomesOf(index);
        coverage.note(list, expected);
        const sum = expected.enter.length + expected.update.length + expected.leave.length;
        if (JSON.stringify(found) !== JSON.stringify(expected) || concerned !== sum) {
          t.same(found, expected, `step ${step}: ${JSON.stringify([before, after])}`);
          wrong++;
        }
        before = after;
      }
      t.equal(wrong, 0);
      t.same(coverage.missing(), [], 'every access led to every outcome, exactly and by trial');
      for (const topic of list.keys()) index.remove(topic);
      t.equal(index.size, 0);
      const { found: _found, concerned: _concerned, ...kinds } = index.counts;
      t.same(kinds, { equal: 0, range: 0, prefix: 0, linear: 0 });
    },
  );
