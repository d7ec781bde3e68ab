import { type Access, formatField, type Predicate } from '@tidewire/core';

/**
 * Whether a predicate's plan finds the records for which it holds and no others, so that what it finds
 * need not be tried: so it is where the accesses say all that the predicate does.
 */
export function isFoundExactly(predicate: Predicate, plan: readonly Access[]): boolean {
  return plan.every(({ kind }) => kind !== 'linear') && isSaidByAccesses(predicate);
}

function isSaidByAccesses(predicate: Predicate): boolean {
  switch (predicate.kind) {
    case 'eq':
    case 'in':
    case 'contains':
    case 'prefix':
      return true;
    case 'any':
      return predicate.predicates.every(isSaidByAccesses);
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
