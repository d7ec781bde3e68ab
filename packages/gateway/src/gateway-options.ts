import type { HybridLogicalClock } from '@tidewire/core';
import type { SharedMemory } from '@tidewire/core/threads';
import type { Denial } from './access/audit.js';
import type { GatewayLimits } from './gateway-limits.js';
import type { SessionLog } from './session/session-log.js';
import type { HttpAnswer } from './transport/transport.js';
import type { TurnTime } from './turn-time.js';

export interface GatewayOptions {
  readonly memory: SharedMemory;
  readonly clock: HybridLogicalClock;
  readonly time: TurnTime;
  /** Of the stamps that the server gives to operations without one. */
  readonly node: number;
  readonly version: string;
  /** Lifetime in milliseconds of what is put without one, by the name of the map. */
  readonly mapTtls?: ReadonlyMap<string, number>;
  readonly limits?: GatewayLimits;
  /** So many random bytes, which nobody can guess. */
  readonly random: (count: number) => Uint8Array;
  readonly publish: (topic: number, bytes: Uint8Array) => void;
  readonly http: (path: string) => HttpAnswer;
  /** A turn is due. */
  readonly onWork: () => void;
  /** So many operations have come in a frame: a turn is due, if they are many at once. */
  readonly onTaken: (operations: number) => void;
  readonly log?: SessionLog;
  /** A session was not permitted something. */
  readonly onDenied: (denial: Denial) => void;
}
