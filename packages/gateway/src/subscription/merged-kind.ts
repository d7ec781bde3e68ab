import { EventKind } from '@tidewire/schemas';

/**
 * What several changes of one key come to, by the first and the last of them. A key that entered and
 * left again is said to have left all the same: a slice may have shown it meanwhile.
 */
export function mergedKind(first: EventKind, last: EventKind): EventKind {
  switch (last) {
    case EventKind.ENTER:
    case EventKind.UPDATE:
      return first === EventKind.ENTER ? EventKind.ENTER : EventKind.UPDATE;
    default:
      return last;
  }
}
