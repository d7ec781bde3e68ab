import { Code } from '@tidewire/core';
import { TidewireError } from './error.js';
import type { ServerInfo } from './link.js';
import { checkedField, checkedPredicate, type Where } from './predicate.js';
import type { QueryFields } from './protocol.js';

/** Which records, in which order; each at most once, as it stands. */
export interface FetchOptions<T> {
  /** Default: every record of the map. */
  readonly where?: Where<T> | undefined;
  /** A field as predicates name it, `address.city` or `$stamp`; needs a limit. */
  readonly orderBy?: string | undefined;
  /** Largest first; needs a limit. */
  readonly descending?: boolean | undefined;
  /** At most so many: the first by `orderBy`, else by key. Without it all, in no order. */
  readonly limit?: number | undefined;
}

/** @throws TidewireError INVALID or TOO_LARGE for what the server would refuse. */
export function queryFieldsOf<T>(
  map: string,
  { where, orderBy, descending = false, limit }: FetchOptions<T>,
  limits: ServerInfo['limits'],
): QueryFields {
  if (limit === undefined && (orderBy !== undefined || descending))
    throw new TidewireError(Code.INVALID, 'An order needs a limit.');
  return {
    map,
    where: where === undefined ? undefined : checkedPredicate(where, limits.predicateBytesMax),
    orderBy: orderBy === undefined ? undefined : checkedField(orderBy),
    descending,
    limit: limit === undefined ? 0 : checkedLimit(limit, limits.queryRowsMax),
    countOnly: false,
  };
}

function checkedLimit(limit: number, rowsMax: number): number {
  if (!Number.isInteger(limit) || limit < 1)
    throw new TidewireError(Code.INVALID, `A limit of ${limit} is no number of rows.`);
  if (limit <= rowsMax) return limit;
  throw new TidewireError(Code.TOO_LARGE, `A limit of ${limit} is beyond the server’s ${rowsMax}.`);
}
