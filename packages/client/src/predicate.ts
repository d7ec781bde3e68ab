import { Code, encodePredicate, type Predicate, PredicateError } from '@tidewire/core';
import { TidewireError } from './error.js';

/**
 * `predicate` as it is, if the server would take it.
 * @throws TidewireError INVALID if it is not sound, TOO_LARGE beyond a limit.
 */
export function checkedPredicate(predicate: Predicate, bytesMax: number): Predicate {
  const { length } = encoded(predicate);
  if (length <= bytesMax) return predicate;
  throw new TidewireError(Code.TOO_LARGE, `The predicate has ${length} bytes, limit ${bytesMax}.`);
}

function encoded(predicate: Predicate): Uint8Array {
  try {
    return encodePredicate(predicate);
  } catch (error) {
    if (!(error instanceof PredicateError)) throw error;
    throw new TidewireError(error.isTooLarge ? Code.TOO_LARGE : Code.INVALID, error.message);
  }
}
