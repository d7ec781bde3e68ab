import { Code, MAX_HZ_MAX } from '@tidewire/core';
import { TidewireError } from './error.js';
import type { InterestFields } from './interest.js';
import type { ServerInfo } from './link.js';
import { nameBytes } from './name.js';
import { checkedPredicate, type Where } from './predicate.js';
import type { From, QueryOptions, SubscribeOptions } from './subscription.js';

export interface InterestOptions<T>
  extends Pick<SubscribeOptions & QueryOptions, 'key' | 'withOld' | 'maxHz'> {
  readonly where?: Where<T>;
  readonly from: From;
}

/** @throws TidewireError INVALID or TOO_LARGE for what the server would refuse. */
export function interestFieldsOf<T>(
  map: string,
  options: InterestOptions<T>,
  limits: ServerInfo['limits'],
): InterestFields {
  const { key, where, withOld = false, maxHz, from } = options;
  nameBytes('map', map, limits.mapBytesMax);
  if (key !== undefined) nameBytes('key', key, limits.keyBytesMax);
  if (key !== undefined && where !== undefined)
    throw new TidewireError(Code.INVALID, 'A key and a predicate do not go together.');
  return {
    map,
    key: key ?? '',
    where: where === undefined ? undefined : checkedPredicate(where, limits.predicateBytesMax),
    withOld,
    maxHz: checkedMaxHz(maxHz),
    from,
  };
}

function checkedMaxHz(maxHz: number | undefined): number {
  if (maxHz === undefined) return 0;
  if (Number.isInteger(maxHz) && maxHz >= 1 && maxHz <= MAX_HZ_MAX) return maxHz;
  throw new TidewireError(Code.INVALID, `A maxHz of ${maxHz} is not 1 to ${MAX_HZ_MAX}, whole.`);
}
