import { hashOf } from '@tidewire/core';

export const NO_BYTES: Uint8Array = new Uint8Array(0);

/** What a topic is about: the changes of a map, of a key of it, or of what a predicate holds for. */
export interface Interest {
  readonly mapId: number;
  /** Empty: the whole map, or what the predicate says. */
  readonly key: Uint8Array;
  readonly hash: number;
  /** The Predicate message in canonical form; empty: none. */
  readonly predicate: Uint8Array;
  /** Events carry the value before. */
  readonly withOld: boolean;
}

export function interestIn(
  mapId: number,
  options: { key?: Uint8Array; predicate?: Uint8Array; withOld?: boolean },
): Interest {
  const { key = NO_BYTES, predicate = NO_BYTES, withOld = false } = options;
  return { mapId, key, hash: hashOf(key), predicate, withOld };
}

/** Equal for equal interests. */
export function interestName(interest: Interest): string {
  const { mapId, key, predicate, withOld } = interest;
  if (predicate.length === 0) return `${mapId}/${textOf(key)}`;
  return `${mapId}?${withOld ? 'old' : ''}?${textOf(predicate)}`;
}

/** Any bytes, one character each. */
function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
