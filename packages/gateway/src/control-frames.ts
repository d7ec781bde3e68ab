import type { MessageInitShape } from '@bufbuild/protobuf';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  assert,
  CODE_SENTENCES,
  type Code,
  DRIFT_MS_MAX,
  FRAME_BYTES_MAX,
  FRAME_OPERATIONS_MAX,
  type HybridLogicalClock,
  KEY_BYTES_MAX,
  MAP_BYTES_MAX,
  PREDICATE_BYTES_MAX,
  PREDICATE_DEPTH_MAX,
  PREDICATE_NODES_MAX,
  PROTOCOL_VERSION,
  packStamp,
  QUERIES_MAX,
  QUERY_ROWS_MAX,
} from '@tidewire/core';
import { RecordLayout, writeStamp } from '@tidewire/core/threads';
import type { RecordName } from '@tidewire/partition-worker/front';
import {
  type ClientFrame,
  ClientFrameSchema,
  type LimitsSchema,
  RecordNamesSchema,
  type ServerFrame,
  ServerFrameSchema,
} from '@tidewire/schemas';
import { type GatewayLimits, NO_BOUND } from './gateway-limits.js';
import type { Refusal } from './refusal.js';
import type { Session } from './session/session.js';

const CLOCK_TAG = 0x09;
/** Of the time after which a silent connection is closed: one lost ping closes nothing. */
const PINGS = 2.5;

/** Those that no operator changes. */
const FIXED_LIMITS: MessageInitShape<typeof LimitsSchema> = {
  frameBytesMax: FRAME_BYTES_MAX,
  frameOperationsMax: FRAME_OPERATIONS_MAX,
  mapBytesMax: MAP_BYTES_MAX,
  keyBytesMax: KEY_BYTES_MAX,
  driftMsMax: DRIFT_MS_MAX,
  predicateBytesMax: PREDICATE_BYTES_MAX,
  predicateNodesMax: PREDICATE_NODES_MAX,
  predicateDepthMax: PREDICATE_DEPTH_MAX,
  queriesMax: QUERIES_MAX,
  queryRowsMax: QUERY_ROWS_MAX,
};

/**
 * The frames off the hot path, by protobuf-es: everything but operations, results and events.
 */
export class ControlFrames {
  readonly #clock: HybridLogicalClock;
  /** The server's start number, and the number of its database, once they are known. */
  epoch = 0;
  store = 0n;
  readonly #version: string;
  readonly #limits: MessageInitShape<typeof LimitsSchema>;

  constructor(options: { clock: HybridLogicalClock; version: string; limits: GatewayLimits }) {
    this.#clock = options.clock;
    this.#limits = announced(options.limits);
    this.#version = options.version;
  }

  /** The frame's body, or undefined if it is not one. */
  read(bytes: Uint8Array): ClientFrame['body'] | undefined {
    try {
      return fromBinary(ClientFrameSchema, bytes).body;
    } catch {
      return undefined;
    }
  }

  welcome(session: Session, holdsPresence: boolean): Uint8Array {
    return this.#frame({
      case: 'welcome',
      value: {
        protocolVersion: PROTOCOL_VERSION,
        epoch: BigInt(this.epoch),
        serverVersion: this.#version,
        limits: this.#limits,
        store: this.store,
        salt: Buffer.from(session.salt, 'latin1'),
        validUntilMs: endOf(session.validUntilMs),
        holdsPresence,
        memory: BigInt(session.memory),
      },
    });
  }

  subscribed(subscriptionId: number, topic: number): Uint8Array {
    return this.#frame({ case: 'subscribed', value: { subscriptionId, topics: [topic] } });
  }

  unsubscribed(subscriptionId: number): Uint8Array {
    return this.#frame({ case: 'unsubscribed', value: { subscriptionId } });
  }

  lag(isLagging: boolean): Uint8Array {
    return this.#frame({ case: 'lag', value: { isLagging } });
  }

  /** Of these partitions; `sequences` has all. */
  progress(partitions: readonly number[], sequences: Float64Array): Uint8Array {
    const delivered = partitions.map((partition) => ({
      partition,
      sequence: BigInt(sequences[partition]),
    }));
    return this.#frame({ case: 'progress', value: { epoch: BigInt(this.epoch), delivered } });
  }

  /** Up to which sequence each of these partitions is in the database. */
  durable(durable: readonly { partition: number; sequence: bigint }[]): Uint8Array {
    const value = { epoch: BigInt(this.epoch), durable: [...durable] };
    return this.#frame({ case: 'progress', value });
  }

  /** The same frame as of now; it is changed where it lies. */
  refreshed(frame: Uint8Array): Uint8Array {
    assert(frame[0] === CLOCK_TAG, 'a frame begins with its clock');
    const { ms, counter } = this.#clock;
    writeStamp(frame, 1, RecordLayout.lowWord(ms), RecordLayout.highWord(ms), counter);
    return frame;
  }

  /** The last of a query's answer. */
  rowsDone(requestId: number, count: number): Uint8Array {
    const value = { requestId, isDone: true, count: BigInt(count) };
    return this.#frame({ case: 'rows', value });
  }

  rowsRefused(requestId: number, { code, detail, retryAfterMs }: Refusal): Uint8Array {
    const value = { requestId, isDone: true, refusal: code, detail, retryAfterMs };
    return this.#frame({ case: 'rows', value });
  }

  /** `validUntilMs`: milliseconds since 1970; Infinity: for ever. */
  tokenRefreshed(validUntilMs: number): Uint8Array {
    return this.#frame({ case: 'refreshed', value: { validUntilMs: endOf(validUntilMs) } });
  }

  pong(token: bigint): Uint8Array {
    return this.#frame({ case: 'pong', value: { token } });
  }

  error(
    code: Code,
    options: { detail?: string; subscriptionId?: number; retryAfterMs?: number } = {},
  ): Uint8Array {
    const detail = options.detail ?? CODE_SENTENCES[code];
    return this.#frame({ case: 'error', value: { ...options, code, detail } });
  }

  #frame(body: MessageInitShape<typeof ServerFrameSchema>['body']): Uint8Array {
    const { ms, counter } = this.#clock;
    const init = { clock: packStamp(ms, counter), ...(body === undefined ? {} : { body }) };
    const frame: ServerFrame = create(ServerFrameSchema, init);
    return toBinary(ServerFrameSchema, frame);
  }
}

function announced(limits: GatewayLimits): MessageInitShape<typeof LimitsSchema> {
  const { operationsPerSecond, bytesPerSecond } = limits;
  const heartbeatTimeoutMs = 1000 * limits.heartbeatSeconds;
  return {
    ...FIXED_LIMITS,
    heartbeatTimeoutMs,
    heartbeatIntervalMs: heartbeatTimeoutMs / PINGS,
    valueBytesMax: limits.valueBytes,
    inFlightMax: limits.inFlight,
    subscriptionsMax: limits.subscriptions,
    subscriptionsUnindexedMax: limits.subscriptionsUnindexed,
    connectionsMax: limits.connections,
    connectionsPerAddressMax: limits.connectionsPerAddress,
    ...(operationsPerSecond !== NO_BOUND && { operationsPerSecondMax: operationsPerSecond }),
    ...(bytesPerSecond !== NO_BOUND && { bytesPerSecondMax: bytesPerSecond }),
  };
}

function endOf(validUntilMs: number): bigint {
  if (validUntilMs === Number.POSITIVE_INFINITY) return 0n;
  assert(validUntilMs > 0 && Number.isSafeInteger(Math.floor(validUntilMs)), 'an end is a time');
  return BigInt(Math.floor(validUntilMs));
}

/** Reads a RecordNames message; undefined: it is none. */
export function recordNamesIn(bytes: Uint8Array): RecordName[] | undefined {
  const encoder = new TextEncoder();
  try {
    return fromBinary(RecordNamesSchema, bytes).records.map(({ map, key }) => ({
      map: encoder.encode(map),
      key: encoder.encode(key),
    }));
  } catch {
    return undefined;
  }
}
