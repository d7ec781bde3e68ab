import { EFFECTS_MAX, RING_BYTES } from '../limits.js';
import { ringBufferBytes } from '../ring/ring-layout.js';
import { EFFECT_WORDS } from './effect.js';
import { MAP_TABLE_BYTES } from './map-table.js';
import { CONTROL_WORDS } from './worker-control.js';

/** What one worker shares with others. Plain buffers, so that it can be sent to a thread. */
export interface WorkerMemory {
  readonly worker: number;
  readonly workers: number;
  /** Its records (see the record store's layout). */
  readonly arena: SharedArrayBuffer;
  /** See worker-control.ts. */
  readonly control: SharedArrayBuffer;
  /** Effects of updates (see effect-table.ts of the workers). */
  readonly effects: SharedArrayBuffer;
  readonly requestRing: SharedArrayBuffer;
  readonly interestRing: SharedArrayBuffer;
  readonly outboundRing: SharedArrayBuffer;
  readonly batchRing: SharedArrayBuffer;
  readonly recoveryRing: SharedArrayBuffer;
}

/** All memory that the threads of one process share. */
export interface SharedMemory {
  readonly workers: readonly WorkerMemory[];
  readonly mapTable: SharedArrayBuffer;
  /** Doorbells of the threads that have an event loop, and the heartbeat of persistence. */
  readonly doorbells: SharedArrayBuffer;
}

export const GATEWAY_DOORBELL = 0;
export const PERSISTENCE_DOORBELL = 32;
/** Grows while persistence takes turns. Writer: persistence, on a cache line of its own. */
export const PERSISTENCE_HEARTBEAT = 48;
const DOORBELL_WORDS = 64;

/**
 * The only place that allocates shared memory. `arenaBytes` is for each worker, and may be any share of the
 * whole: it is cut to whole words.
 */
export function allocateSharedMemory(options: {
  workers: number;
  arenaBytes: number;
}): SharedMemory {
  const ring = (): SharedArrayBuffer => new SharedArrayBuffer(ringBufferBytes(RING_BYTES));
  return {
    workers: Array.from({ length: options.workers }, (_, worker) => ({
      worker,
      workers: options.workers,
      arena: new SharedArrayBuffer(options.arenaBytes - (options.arenaBytes % 4)),
      control: new SharedArrayBuffer(CONTROL_WORDS * 4),
      effects: new SharedArrayBuffer(EFFECTS_MAX * EFFECT_WORDS * 4),
      requestRing: ring(),
      interestRing: ring(),
      outboundRing: ring(),
      batchRing: ring(),
      recoveryRing: ring(),
    })),
    mapTable: new SharedArrayBuffer(MAP_TABLE_BYTES),
    doorbells: new SharedArrayBuffer(DOORBELL_WORDS * 4),
  };
}

/** Which worker owns a partition. */
export function ownerOf(partition: number, workers: number): number {
  return partition % workers;
}
