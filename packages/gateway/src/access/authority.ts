import {
  canonicalPredicate,
  encodePredicate,
  formatPredicate,
  PERMITS_MAX,
  type Predicate,
  PredicateError,
} from '@tidewire/core';
import { type Grant, grantsTo, isMapOf, type Policy, type Right, readGrants } from './policy.js';
import { Recent } from './recent.js';
import type { Claims } from './token-verifier.js';

/** Some records: those for which the predicate, in canonical form, holds. */
export interface Rows {
  readonly predicate: Predicate;
  /** As a Predicate message. */
  readonly bytes: Uint8Array;
  /** Equal for equal rows. */
  readonly name: string;
}

/** What a right on a map gives. */
export type Permit = 'nothing' | 'everything' | Rows;

/** What a session may do with one map. */
export type Permits = Readonly<Record<Right, Permit>>;

/** The claim by which a token grants rights itself, as a policy does. */
const GRANTS_CLAIM = 'tidewire.grants';

/**
 * What whoever has these claims may do; undefined: everything.
 *
 * @throws PolicyError if the token's own grants are not sound.
 */
export function authorityOf(policy: Policy, claims: Claims['all']): Authority | undefined {
  const own = Object.hasOwn(claims, GRANTS_CLAIM) ? claims[GRANTS_CLAIM] : [];
  const granted = readGrants(own, { withRoles: false });
  const authority = new Authority(grantsTo(policy, granted, claims));
  return authority.isUnbounded ? undefined : authority;
}

/**
 * What a session may do: the union of its grants, and nothing else. To put a union together takes
 * milliseconds where it is large, so it is done once for each set of grants that fits some map: clients
 * name maps as they like, but such sets are few.
 */
export class Authority {
  /** Equal for equal grants. */
  readonly name: string;
  readonly #grants: readonly Grant[];
  /** By the name of the map. */
  readonly #permits: Recent<string, Permits> = new Recent(PERMITS_MAX);
  /** By the grants that fit, as their places. */
  readonly #unions: Recent<string, Permits> = new Recent(PERMITS_MAX);

  constructor(grants: readonly Grant[]) {
    this.#grants = grants;
    this.name = nameOf(grants);
  }

  /** All on every map: such a session needs no looking at. */
  get isUnbounded(): boolean {
    // Only a pattern that is * alone fits a map without a name.
    return Object.values(this.permitsOn('')).every((permit) => permit === 'everything');
  }

  permitsOn(map: string): Permits {
    const known = this.#permits.get(map);
    if (known !== undefined) return known;
    const permits = this.#permitsBy(this.#placesOf(map));
    this.#permits.set(map, permits);
    return permits;
  }

  /** Of the grants that fit the map. */
  #placesOf(map: string): number[] {
    const places: number[] = [];
    for (const [place, { maps }] of this.#grants.entries())
      if (maps.some((pattern) => isMapOf(pattern, map))) places.push(place);
    return places;
  }

  #permitsBy(places: readonly number[]): Permits {
    const name = places.join();
    const known = this.#unions.get(name);
    if (known !== undefined) return known;
    const permits = permitsOf(places.map((place) => this.#grants[place]));
    this.#unions.set(name, permits);
    return permits;
  }
}

function permitsOf(grants: readonly Grant[]): Permits {
  const permitOf = (right: Right): Permit =>
    unionOf(grants.filter(({ rights }) => rights.includes(right)));
  const read = permitOf('read');
  return {
    read,
    write: permitOf('write'),
    subscribe: bothOf(read, permitOf('subscribe')), // whoever hears of a record reads it
    execute: permitOf('execute'),
  };
}

function unionOf(grants: readonly Grant[]): Permit {
  if (grants.length === 0) return 'nothing';
  const predicates = grants.flatMap(({ where }) => where ?? []);
  if (predicates.length < grants.length) return 'everything';
  return rowsOf({ kind: 'any', predicates });
}

function bothOf(left: Permit, right: Permit): Permit {
  if (left === 'nothing' || right === 'nothing') return 'nothing';
  if (left === 'everything') return right;
  if (right === 'everything' || left.name === right.name) return left;
  return rowsOf({ kind: 'all', predicates: [left.predicate, right.predicate] });
}

/** Beyond the limits of predicates nothing is granted: no worker could hold it. */
function rowsOf(predicate: Predicate): Permit {
  const canonical = canonicalPredicate(predicate);
  if (canonical.kind === 'all' && canonical.predicates.length === 0) return 'everything';
  try {
    const bytes = encodePredicate(canonical);
    return { predicate: canonical, bytes, name: Buffer.from(bytes).toString('latin1') };
  } catch (error) {
    if (error instanceof PredicateError) return 'nothing';
    throw error;
  }
}

function nameOf(grants: readonly Grant[]): string {
  const lines = grants.map(({ maps, rights, where }) =>
    JSON.stringify([maps, rights, where === undefined ? null : formatPredicate(where)]),
  );
  return lines.sort().join('\n');
}
