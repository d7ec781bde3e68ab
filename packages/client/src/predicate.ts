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

/**
 * How to build a predicate from the fields of a record, `(user) => user.age.gt(18)`; one that is built
 * already; or its text, `age > 18`, in which nothing checks the names.
 */
export type Where<T> = ((fields: Fields<T>) => Predicate) | Predicate | string;

/**
 * The predicate, if the server would take it.
 * @throws TidewireError INVALID if it is not sound, TOO_LARGE beyond a limit.
 */
export function checkedPredicate<T>(where: Where<T>, bytesMax: number): Predicate {
  return refused(() => {
    const predicate = predicateOf(where);
    const { length } = encodePredicate(predicate);
    if (length <= bytesMax) return predicate;
    throw new PredicateError(`predicate: ${length} bytes, limit ${bytesMax}`, true);
  });
}

function predicateOf<T>(where: Where<T>): Predicate {
  if (typeof where === 'function') return build(where);
  return typeof where === 'string' ? parsePredicate(where) : where;
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
    if (error instanceof PredicateTextError)
      throw new TidewireError(Code.INVALID, `The predicate's text, ${error.message}.`);
    if (!(error instanceof PredicateError)) throw error;
    throw new TidewireError(error.isTooLarge ? Code.TOO_LARGE : Code.INVALID, error.message);
  }
}
