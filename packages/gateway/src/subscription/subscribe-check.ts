import {
  Code,
  checkPredicate,
  decodePredicate,
  hashOf,
  KEY_BYTES_MAX,
  MAP_BYTES_MAX,
  MAX_HZ_MAX,
  PredicateError,
  partitionOf,
  predicateOf,
  type Predicate as Test,
} from '@tidewire/core';
import { isCleanUtf8 } from '@tidewire/core/threads';
import { type Condition, conditionOf, NO_BYTES } from '@tidewire/partition-worker/front';
import { type Predicate, StartFrom, type Subscribe } from '@tidewire/schemas';
import type { Permit, Rows } from '../access/authority.js';
import { denied } from '../access/denied.js';
import { KEY_TOO_LONG, MAP_TOO_LONG } from '../operation/operation-refusal.js';
import { Refusal } from '../refusal.js';
import { type CatchUpPlan, SNAPSHOT_PLAN } from './catch-up-plan.js';
import { type Resumption, resumeKey } from './resume.js';

const SEQUENCE_MAX = 2n ** 48n - 1n;

/** What a sound Subscribe asks for. */
export interface Wanted {
  readonly map: Uint8Array;
  readonly key: Uint8Array;
  readonly predicate: Uint8Array;
  readonly isLinear: boolean;
  /** Only some records of the map are permitted. */
  readonly isRestricted: boolean;
  /** Undefined: changes from now on. */
  readonly plan: CatchUpPlan | undefined;
}

/** Reads a Subscribe; a pure function of it and of what the cursor of Hello is worth. */
export function wantedOf(subscribe: Subscribe, resumption: Resumption): Wanted | Refusal {
  const map = new TextEncoder().encode(subscribe.map);
  const key = new TextEncoder().encode(subscribe.key);
  const fault = nameFault(map, key) ?? optionFault(subscribe);
  if (fault !== undefined) return fault;
  const condition = readCondition(subscribe.where);
  if (condition instanceof Refusal) return condition;
  const plan = planOf(subscribe, key, resumption);
  if (plan instanceof Refusal) return plan;
  return { map, key, ...condition, isRestricted: false, plan };
}

/**
 * What is left of it where only these rows are permitted: a map and a key become predicates, so that
 * nothing else of either is ever heard.
 */
export function withinPermit(
  wanted: Wanted,
  permit: Permit,
  { start }: Subscribe,
  resumption: Resumption,
): Wanted | Refusal {
  if (permit === 'nothing')
    return new Refusal(Code.FORBIDDEN, denied('subscribe', Buffer.from(wanted.map).toString()));
  if (permit === 'everything') return wanted;
  const condition = conditionWithin(wanted, permit);
  if (condition instanceof Refusal) return condition;
  const isResumed = start === StartFrom.RESUME && resumption.refusal === undefined;
  const plan = isResumed ? resumption.plan : wanted.plan;
  return { map: wanted.map, key: NO_BYTES, ...condition, isRestricted: true, plan };
}

/** A byte order mark is part of a key. */
const keyText = new TextDecoder('utf-8', { ignoreBOM: true });

/** The condition, and the key if there is one, on the rows that are permitted. */
export function conditionWithin(
  { predicate, key }: { predicate: Uint8Array; key: Uint8Array },
  rows: Rows,
): Condition | Refusal {
  const predicates: Test[] = [rows.predicate];
  if (predicate.length > 0) predicates.push(decodePredicate(predicate));
  if (key.length > 0)
    predicates.push({ kind: 'eq', field: { kind: 'key' }, literal: keyText.decode(key) });
  return conditionBy(() => {
    const both: Test = { kind: 'all', predicates };
    checkPredicate(both);
    return both;
  });
}

/** Why a map, or a key unless it is empty, cannot be one. */
export function nameFault(map: Uint8Array, key: Uint8Array): Refusal | undefined {
  if (map.length > MAP_BYTES_MAX) return new Refusal(Code.TOO_LARGE, MAP_TOO_LONG.sentence);
  if (key.length > KEY_BYTES_MAX) return new Refusal(Code.TOO_LARGE, KEY_TOO_LONG.sentence);
  if (map.length === 0 || !isCleanUtf8(map, 0, map.length))
    return new Refusal(Code.INVALID, 'A map has a name of UTF-8 without NUL.');
  if (!isCleanUtf8(key, 0, key.length))
    return new Refusal(Code.INVALID, 'A key is UTF-8 without NUL.');
  return undefined;
}

/** Reads a predicate that a client has sent. */
export function readCondition(message: Predicate | undefined): Condition | Refusal {
  if (message === undefined) return { predicate: NO_BYTES, isLinear: false };
  return conditionBy(() => predicateOf(message));
}

/** `read` gives a sound predicate or throws PredicateError. */
function conditionBy(read: () => Test): Condition | Refusal {
  try {
    return conditionOf(read());
  } catch (error) {
    if (!(error instanceof PredicateError)) throw error;
    return new Refusal(error.isTooLarge ? Code.TOO_LARGE : Code.INVALID, error.message);
  }
}

function optionFault(subscribe: Subscribe): Refusal | undefined {
  const invalid = (detail: string): Refusal => new Refusal(Code.INVALID, detail);
  const { where, key, maxHz } = subscribe;
  if (subscribe.subscriptionId === 0) return invalid('A subscription id is at least 1.');
  if (where !== undefined && key !== '') return invalid('Either a key or where, not both.');
  if (where === undefined && subscribe.withOld)
    return invalid('Values before come with where alone.');
  if (maxHz > MAX_HZ_MAX) return invalid(`At most ${MAX_HZ_MAX} deliveries a second.`);
  if (subscribe.knownSequence > SEQUENCE_MAX) return invalid('There is no such known sequence.');
  return undefined;
}

function planOf(
  { start, knownSequence }: Subscribe,
  key: Uint8Array,
  resumption: Resumption,
): CatchUpPlan | undefined | Refusal {
  switch (start) {
    case StartFrom.UNSPECIFIED:
    case StartFrom.NOW:
      return undefined;
    case StartFrom.SNAPSHOT:
      return SNAPSHOT_PLAN;
    case StartFrom.RESUME:
      if (resumption.refusal !== undefined) return new Refusal(Code.INVALID, resumption.refusal);
      if (key.length === 0) return resumption.plan;
      return resumeKey(resumption, partitionOf(hashOf(key)), Number(knownSequence));
    default:
      return new Refusal(Code.INVALID, `There is no start ${start}.`);
  }
}
