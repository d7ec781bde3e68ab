import type { MapTable, SharedMemory } from '@tidewire/core/threads';
import type { PartitionService, WorkerRequests } from '@tidewire/partition-worker/front';
import { HotKeys } from '../operation/hot-keys.js';
import type { SubscriptionService } from '../subscription/subscription-service.js';
import { CensusDesk } from './census-desk.js';
import { Counters } from './counters.js';
import { type MapReport, mapReportOf } from './map-report.js';
import { StageTimes } from './stage-times.js';

/** What the gateway knows of how it fares, for whoever operates it. */
export class Telemetry {
  readonly counters: Counters = new Counters();
  readonly hotKeys: HotKeys = new HotKeys();
  readonly stages: StageTimes;
  readonly census: CensusDesk;
  readonly #mapTable: MapTable;
  readonly #owners: PartitionService['owners'];

  constructor(options: {
    memory: SharedMemory;
    mapTable: MapTable;
    owners: PartitionService['owners'];
    requests: WorkerRequests;
    elapsedMs: () => number;
  }) {
    this.#mapTable = options.mapTable;
    this.#owners = options.owners;
    this.stages = new StageTimes(options);
    this.census = new CensusDesk(options.requests);
  }

  /** How full each worker's request ring is, as a part of the whole. */
  get ringOccupancy(): readonly number[] {
    return this.#owners.map(({ requests }) => requests.used() / requests.capacity);
  }

  /** What there is of every map, counted now. */
  async mapReport(subscriptions: SubscriptionService): Promise<MapReport> {
    return mapReportOf({
      counts: await this.census.count(),
      mapTable: this.#mapTable,
      subscriptionsOf: (mapId) => subscriptions.subscriptionsOf(mapId),
      hotKeys: this.hotKeys,
      laggards: subscriptions.laggards(),
    });
  }
}
