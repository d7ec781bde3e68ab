import type { MapTable } from '@tidewire/core/threads';
import { fewSize } from '../few.js';
import type { HotKey, HotKeys } from '../operation/hot-keys.js';
import type { Session } from '../session/session.js';
import type { MapSubscriptions } from '../subscription/subscription-tally.js';
import type { MapCounts } from './census-desk.js';

const HOTTEST = 20;
const LAGGARDS = 20;

export interface MapFacts {
  readonly map: string;
  readonly records: number;
  readonly bytes: number;
  readonly subscriptions: Readonly<MapSubscriptions>;
}

/** A connection that reads its subscriptions too slowly. */
export interface Laggard {
  /** As in the log. */
  readonly connection: number;
  readonly subscriptions: number;
  readonly unsentBytes: number;
}

/** What there is, by map; what is asked for most; and who lags. For the operator alone: it names keys. */
export interface MapReport {
  /** The largest first. */
  readonly maps: readonly MapFacts[];
  readonly hottest: readonly HotKey[];
  /** Who has read least first; the first of them. */
  readonly lagging: readonly Laggard[];
}

export function mapReportOf(parts: {
  counts: MapCounts;
  mapTable: MapTable;
  subscriptionsOf: (mapId: number) => Readonly<MapSubscriptions>;
  hotKeys: HotKeys;
  laggards: Iterable<Session>;
}): MapReport {
  const { counts, mapTable, subscriptionsOf } = parts;
  const maps = Array.from({ length: mapTable.count }, (_, mapId) => ({
    map: mapTable.nameOf(mapId),
    records: counts.get(mapId)?.records ?? 0,
    bytes: counts.get(mapId)?.bytes ?? 0,
    subscriptions: subscriptionsOf(mapId),
  }));
  return {
    maps: maps.sort((a, b) => b.bytes - a.bytes),
    hottest: parts.hotKeys.top(HOTTEST),
    lagging: Array.from(parts.laggards, laggardOf)
      .sort((a, b) => b.unsentBytes - a.unsentBytes)
      .slice(0, LAGGARDS),
  };
}

function laggardOf({ serial, subscriptions, connection }: Session): Laggard {
  return {
    connection: serial,
    subscriptions: fewSize(subscriptions),
    unsentBytes: connection.bufferedBytes(),
  };
}
