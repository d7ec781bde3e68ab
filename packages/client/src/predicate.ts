import {
  Code,
  encodePredicate,
  type Field,
  type Predicate,
  PredicateError,
  PredicateTextError,
  parsePredicate,
} from '@tidewire/core';
import { TidewireError } from './error.js';
import { where as build, type Fields } from './query-builder.js';

/** A predicate, or how to build one from the fields of a record: `(user) => user.age.gt(18)`. */
export type Where<T> = Predicate | ((fields: Fields<T>) => Predicate);

/**
 * The predicate, if the server would take it.
 * @throws TidewireError INVALID if it is not sound, TOO_LARGE beyond a limit.
 */
export function checkedPredicate<T>(where: Where<T>, bytesMax: number): Predicate {
  return refused(() => {
    const predicate = typeof where === 'function' ? build(where) : where;
    const { length } = encodePredicate(predicate);
    if (length <= bytesMax) return predicate;
    throw new PredicateError(`predicate: ${length} bytes, limit ${bytesMax}`, true);
  });
}

/**
 * The field of such a name in a predicate's text, `address.city` or `$stamp`.
 * @throws TidewireError INVALID if it names none.
 */
export function checkedField(text: string): Field {
  const test = maybeParsed(`exists ${text}`);
  if (test?.kind === 'exists') return test.field;
  throw new TidewireError(Code.INVALID, `"${text}" names no field.`);
}

function maybeParsed(text: string): Predicate | undefined {
  try {
    return parsePredicate(text);
  } catch (error) {
    if (error instanceof PredicateTextError) return undefined;
    throw error;
  }
}

function refused<A>(make: () => A): A {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof PredicateError)) throw error;
    throw new TidewireError(error.isTooLarge ? Code.TOO_LARGE : Code.INVALID, error.message);
  }
}
