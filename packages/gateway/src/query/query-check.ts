import { Code, encodeField, fieldOf, PredicateError, QUERY_ROWS_MAX } from '@tidewire/core';
import { QUERY_COUNT_ONLY, QUERY_DESCENDING, QUERY_ORDERED } from '@tidewire/core/threads';
import { NO_BYTES } from '@tidewire/partition-worker/front';
import type { Field, Query } from '@tidewire/schemas';
import type { Permit } from '../access/authority.js';
import { denied } from '../access/denied.js';
import { Refusal } from '../refusal.js';
import { conditionWithin, nameFault, readCondition } from '../subscription/subscribe-check.js';

/** What a sound Query asks for. */
export interface Asked {
  readonly map: Uint8Array;
  /** Canonical Predicate message, and Field message to order by; empty: none. */
  readonly predicate: Uint8Array;
  readonly order: Uint8Array;
  /** Most rows; 0: all, in any order. */
  readonly limit: number;
  readonly isDescending: boolean;
  /** Of the QUERY record. */
  readonly flags: number;
}

/** Reads a Query; a pure function of it. */
export function askedOf(query: Query): Asked | Refusal {
  const map = new TextEncoder().encode(query.map);
  const fault = nameFault(map, NO_BYTES) ?? optionFault(query);
  if (fault !== undefined) return fault;
  const condition = readCondition(query.where);
  if (condition instanceof Refusal) return condition;
  const order = orderOf(query.orderBy);
  if (order instanceof Refusal) return order;
  const { limit, descending } = query;
  const flags =
    (query.countOnly ? QUERY_COUNT_ONLY : 0) |
    (limit > 0 ? QUERY_ORDERED : 0) |
    (descending ? QUERY_DESCENDING : 0);
  return { map, predicate: condition.predicate, order, limit, isDescending: descending, flags };
}

/** What is left of it where only these rows are permitted. */
export function askedWithin(asked: Asked, permit: Permit): Asked | Refusal {
  if (permit === 'nothing')
    return new Refusal(Code.FORBIDDEN, denied('read', Buffer.from(asked.map).toString()));
  if (permit === 'everything') return asked;
  const condition = conditionWithin({ predicate: asked.predicate, key: NO_BYTES }, permit);
  return condition instanceof Refusal ? condition : { ...asked, predicate: condition.predicate };
}

function optionFault(query: Query): Refusal | undefined {
  const invalid = (detail: string): Refusal => new Refusal(Code.INVALID, detail);
  const { limit, orderBy, descending } = query;
  if (limit > QUERY_ROWS_MAX)
    return new Refusal(Code.TOO_LARGE, `A limit is at most ${QUERY_ROWS_MAX}.`);
  if (query.countOnly && (limit > 0 || orderBy !== undefined || descending))
    return invalid('A count has neither order nor limit.');
  if (limit === 0 && (orderBy !== undefined || descending))
    return invalid('Rows in an order need a limit.');
  return undefined;
}

function orderOf(message: Field | undefined): Uint8Array | Refusal {
  if (message === undefined) return NO_BYTES;
  try {
    return encodeField(fieldOf(message));
  } catch (error) {
    if (!(error instanceof PredicateError)) throw error;
    return new Refusal(error.isTooLarge ? Code.TOO_LARGE : Code.INVALID, error.message);
  }
}
