import {
  accessPlanOf,
  canonicalPredicate,
  encodePredicate,
  hashOf,
  type Predicate,
} from '@tidewire/core';

export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** What a topic is about: the changes of a map, of a key of it, or of what a predicate holds for. */
export interface Interest {
  readonly mapId: number;
  /** Empty: the whole map, or what the predicate says. */
  readonly key: Uint8Array;
  readonly hash: number;
  /** The Predicate message in canonical form; empty: none. */
  readonly predicate: Uint8Array;
  /** No index serves the predicate. */
  readonly isLinear: boolean;
  /** Events carry the value before. */
  readonly withOld: boolean;
}

/** What of a map is of interest; nothing: all of it. */
export type Wish = Partial<Pick<Interest, 'key' | 'predicate' | 'isLinear' | 'withOld'>>;

export function interestIn(mapId: number, wish: Wish): Interest {
  const { key = NO_BYTES, predicate = NO_BYTES, isLinear = false, withOld = false } = wish;
  return { mapId, key, hash: hashOf(key), predicate, isLinear, withOld };
}

/** A predicate in canonical form, and whether no index serves it. */
export type Condition = Pick<Interest, 'predicate' | 'isLinear'>;

/** @throws PredicateError unless the predicate is sound. */
export function conditionOf(predicate: Predicate): Condition {
  const canonical = canonicalPredicate(predicate);
  const isLinear = accessPlanOf(canonical).some(({ kind }) => kind === 'linear');
  return { predicate: encodePredicate(canonical), isLinear };
}

/** Equal for equal interests. */
export function interestName(interest: Interest): string {
  const { mapId, key, predicate, withOld } = interest;
  if (predicate.length === 0) return `${mapId}/${textOf(key)}`;
  return `${mapId}?${withOld ? 'old' : ''}?${textOf(predicate)}`;
}

/** Any bytes, one character each. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
