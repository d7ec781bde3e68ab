import { EventKind } from '@tidewire/schemas';

/**
 * What a change is to a predicate that held before it (or did not) and holds after it (or does not);
 * UNSPECIFIED: nothing. A record that is not there matches nothing.
 */
export function eventKindOf(heldBefore: boolean, holdsAfter: boolean): EventKind {
  if (holdsAfter) return heldBefore ? EventKind.UPDATE : EventKind.ENTER;
  return heldBefore ? EventKind.LEAVE : EventKind.UNSPECIFIED;
}
