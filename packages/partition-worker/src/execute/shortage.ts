import { RETRY_AFTER_FULL_MS, RETRY_AFTER_MS } from '@tidewire/core';

/** What a worker has run out of for the moment, as a refusal tells it. */
export interface Shortage {
  /** A sentence in UTF-8. */
  readonly detail: Uint8Array;
  readonly retryAfterMs: number;
}

export const MEMORY_FULL: Shortage = shortage(
  'The memory for records is full; what is removed makes room.',
  RETRY_AFTER_FULL_MS,
);
export const LANE_FULL: Shortage = shortage(
  'Too many SAFE writes wait for the database.',
  RETRY_AFTER_MS,
);
export const EFFECTS_FULL: Shortage = shortage(
  'Too many updates wait until their clients have heard of them.',
  RETRY_AFTER_MS,
);

function shortage(sentence: string, retryAfterMs: number): Shortage {
  return { detail: new TextEncoder().encode(sentence), retryAfterMs };
}
