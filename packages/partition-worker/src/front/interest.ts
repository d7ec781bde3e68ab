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

/**
 * Equal for equal interests. Its bytes are written together and read as one text, one character each: a
 * text that is joined from others keeps these.
 */
export function interestName(interest: Interest): string {
  const { mapId, key, predicate, withOld } = interest;
  const head = predicate.length === 0 ? `${mapId}/` : `${mapId}?${withOld ? 'old' : ''}?`;
  const body = predicate.length === 0 ? key : predicate;
  return Buffer.concat([Buffer.from(head, 'latin1'), body]).toString('latin1');
}

/** The key of the interest of this name; empty: it is not of a key. */
export function keyNamed(name: string): Uint8Array {
  const head = /^\d+\//.exec(name);
  return head === null ? NO_BYTES : Buffer.from(name.slice(head[0].length), 'latin1');
}
