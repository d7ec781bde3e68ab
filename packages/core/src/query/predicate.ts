/**
 * A condition on one record, as server and client hold it in memory. What each test means is written
 * in docs/formats/predicate.md; the wire form is `Predicate` of schemas.
 */
export type Predicate =
  /** All hold; none at all: always true. */
  | { readonly kind: 'all'; readonly predicates: readonly Predicate[] }
  /** At least one holds; none at all: never true. */
  | { readonly kind: 'any'; readonly predicates: readonly Predicate[] }
  | { readonly kind: 'not'; readonly predicate: Predicate }
  | {
      readonly kind: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge' | 'contains';
      readonly field: Field;
      readonly literal: Literal;
    }
  | {
      readonly kind: 'between';
      readonly field: Field;
      readonly low: Literal;
      readonly high: Literal;
    }
  | { readonly kind: 'in'; readonly field: Field; readonly literals: readonly Literal[] }
  | { readonly kind: 'prefix' | 'like'; readonly field: Field; readonly text: string }
  | { readonly kind: 'exists'; readonly field: Field };

export type Literal = number | string | boolean | null;

/** A place in a record. */
export type Field =
  | { readonly kind: 'key' }
  /** Milliseconds since 1970 of the record's stamp. */
  | { readonly kind: 'stamp' }
  /** Into the JSON value: names of members, numbers of elements; no steps: the whole value. */
  | { readonly kind: 'value'; readonly steps: readonly (string | number)[] };

/** What a predicate sees of a record. */
export interface QueriedRecord {
  readonly key: string;
  readonly stampMs: number;
  /** The parsed JSON value; NOT_JSON if the value is opaque or does not parse. */
  readonly value: unknown;
}

/** The value of a record that has no fields: no predicate on its value holds. */
export const NOT_JSON: unique symbol = Symbol('not JSON');

/** A predicate is not sound; the message says what is wrong and where in the tree. */
export class PredicateError extends Error {
  override name = 'PredicateError';
  /** True: beyond a limit; else malformed. */
  readonly isTooLarge: boolean;

  constructor(message: string, isTooLarge = false) {
    super(message);
    this.isTooLarge = isTooLarge;
  }
}
