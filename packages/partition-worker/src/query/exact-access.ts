import { formatField, type Predicate } from '@tidewire/core';

/**
 * Whether the accesses of a predicate find the records for which it holds and no others, so that what
 * they find need not be tried: so it is where they say all that the predicate does.
 */
export function isFoundExactly(predicate: Predicate): boolean {
  switch (predicate.kind) {
    case 'eq':
    case 'in':
    case 'contains':
    case 'prefix':
      return true;
    case 'any':
      return predicate.predicates.every(isFoundExactly);
    case 'all':
      return isOneRange(predicate.predicates);
    default:
      return orderOf(predicate) !== undefined;
  }
}

/** Ranges of one field and one order are found as one range, their intersection. */
function isOneRange(members: readonly Predicate[]): boolean {
  const order = members.length === 0 ? undefined : orderOf(members[0]);
  return order !== undefined && members.every((member) => orderOf(member) === order);
}

/** What a range is a range of, as text: the field and the type; undefined: it is not a range. */
function orderOf(predicate: Predicate): string | undefined {
  switch (predicate.kind) {
    case 'lt':
    case 'le':
    case 'gt':
    case 'ge':
      return `${typeof predicate.literal} ${formatField(predicate.field)}`;
    case 'between':
      return `${typeof predicate.low} ${formatField(predicate.field)}`;
    default:
      return undefined;
  }
}
