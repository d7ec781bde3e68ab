import type { Right } from './policy.js';

/** What a session is told that lacks `right` on a map. */
export function denied(right: Right, map: string): string {
  return `Not permitted: to ${right} in map "${map}".`;
}
