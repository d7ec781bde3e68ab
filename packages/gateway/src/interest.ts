import { hashOf } from '@tidewire/core';

/** What a topic is about: the changes of a map, or of one key of it (empty: the whole map). */
export interface Interest {
  readonly mapId: number;
  readonly key: Uint8Array;
  readonly hash: number;
}

export function interestIn(mapId: number, key: Uint8Array): Interest {
  return { mapId, key, hash: hashOf(key) };
}

/** Equal for equal interests. */
export function interestName(interest: Interest): string {
  return `${interest.mapId}/${new TextDecoder().decode(interest.key)}`;
}
