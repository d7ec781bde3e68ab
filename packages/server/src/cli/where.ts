import { type Predicate, PredicateTextError, parsePredicate } from '@tidewire/client';
import { UsageError } from './io.js';

/** @throws UsageError that points at the place where `text` cannot be read. */
export function predicateFrom(text: string): Predicate {
  try {
    return parsePredicate(text);
  } catch (error) {
    if (!(error instanceof PredicateTextError)) throw error;
    const shown = text.replace(/\p{C}/gu, ' ');
    throw new UsageError(error.message, [shown, `${' '.repeat(error.column - 1)}^`]);
  }
}
