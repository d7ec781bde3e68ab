import type { Interest } from '@tidewire/partition-worker/front';

/** Subscriptions of one map, by what they are of. */
export interface MapSubscriptions {
  map: number;
  key: number;
  predicate: number;
}

const NONE: Readonly<MapSubscriptions> = { map: 0, key: 0, predicate: 0 };

/** Counts subscriptions by their maps, so that nobody has to go through all of them. */
export class SubscriptionTally {
  /** Of all maps. */
  total = 0;
  readonly #counts: Map<number, MapSubscriptions> = new Map();

  /** `change`: 1 for one that has begun, -1 for one that has ended. */
  count(interest: Interest, change: 1 | -1): void {
    const counts = this.#counts.get(interest.mapId) ?? { ...NONE };
    counts[kindOf(interest)] += change;
    this.total += change;
    if (counts.map + counts.key + counts.predicate === 0) this.#counts.delete(interest.mapId);
    else this.#counts.set(interest.mapId, counts);
  }

  of(mapId: number): Readonly<MapSubscriptions> {
    return this.#counts.get(mapId) ?? NONE;
  }
}

function kindOf({ key, predicate }: Interest): keyof MapSubscriptions {
  if (predicate.length > 0) return 'predicate';
  return key.length > 0 ? 'key' : 'map';
}
