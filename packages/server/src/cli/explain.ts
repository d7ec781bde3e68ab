import {
  accessPlanOf,
  canonicalPredicate,
  describeAccess,
  formatPredicate,
  type Predicate,
  SUBSCRIPTIONS_UNINDEXED_MAX,
} from '@tidewire/core';
import type { Call, Command } from './command.js';
import { Exit } from './io.js';
import { predicateFrom } from './where.js';

export const explain: Command = {
  name: 'explain',
  usage: 'explain MAP PREDICATE',
  summary: 'tell how a predicate is read and what a continuous query of it costs',
  details: [
    'Prints the predicate as it was read, its canonical form (all predicates of one such form share the',
    'work), and what the index of MAP finds it by. Asks no server.',
  ],
  operands: [2, 2],
  flags: [],
  run: async ({ operands: [map, text], io }: Call) => {
    for (const line of explained(map, predicateFrom(text))) io.stdout.write(`${line}\n`);
    return Exit.DONE;
  },
};

function explained(map: string, predicate: Predicate): string[] {
  const canonical = canonicalPredicate(predicate);
  return [
    `read as     ${formatPredicate(predicate)}`,
    `canonical   ${formatPredicate(canonical)}`,
    ...foundBy(map, canonical),
    'list and count try every record of the map, whatever the predicate.',
  ];
}

/** What the index of a map does with a predicate in canonical form. */
function foundBy(map: string, canonical: Predicate): string[] {
  const plan = accessPlanOf(canonical);
  if (plan.length === 0) return ['found by    nothing: it never holds'];
  const ways = plan.map(
    (access, i) => `${i === 0 ? 'found by' : '      or'}    ${describeAccess(access)}`,
  );
  const isIndexed = plan.every(({ kind }) => kind !== 'linear');
  return isIndexed
    ? [
        ...ways,
        `A change of map "${map}" costs this query nothing unless that holds before or after it.`,
      ]
    : [
        ...ways,
        `No index serves it: it is tried at every change of map "${map}", so that a connection may have`,
        `only ${SUBSCRIPTIONS_UNINDEXED_MAX} like it. A test by =, in, <, >, between, prefix or contains beside it helps.`,
      ];
}
