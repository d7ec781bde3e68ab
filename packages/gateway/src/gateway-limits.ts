import {
  CONNECTIONS_MAX,
  HEARTBEAT_SECONDS,
  IN_FLIGHT_MAX,
  STRANGERS_AN_ADDRESS_MAX,
  STRANGERS_MAX,
  SUBSCRIPTIONS_MAX,
  SUBSCRIPTIONS_UNINDEXED_MAX,
  VALUE_BYTES_MAX,
} from '@tidewire/core';

/** Stands for no bound. */
export const NO_BOUND = 0;

/** What an operator may narrow; the other limits are those of core/limits.ts. */
export interface GatewayLimits {
  readonly connections: number;
  /** Of one address; see client-address.ts. */
  readonly connectionsPerAddress: number;
  /** Connections without Hello, and sockets without a handshake. */
  readonly strangers: number;
  readonly strangersPerAddress: number;
  /** Connections of an address closed for a fault of their own, lately, before it is turned away. NO_BOUND: any. */
  readonly offencesPerAddress: number;
  // The others are of one connection.
  /** Without a sign of life, after which it is closed. */
  readonly heartbeatSeconds: number;
  /** Of what clients send; updates may make longer ones. */
  readonly valueBytes: number;
  readonly inFlight: number;
  readonly subscriptions: number;
  /** Those that no index serves. */
  readonly subscriptionsUnindexed: number;
  /** Operations, subscriptions and queries. NO_BOUND: any. */
  readonly operationsPerSecond: number;
  /** Of frames. NO_BOUND: any. */
  readonly bytesPerSecond: number;
}

export interface LimitRange {
  readonly min: number;
  readonly max: number;
  readonly default: number;
  /** What it bounds, for the operator. */
  readonly help: string;
}

const RATE_MAX: number = 2 ** 32 - 1;

export const LIMIT_RANGES: Readonly<Record<keyof GatewayLimits, LimitRange>> = {
  connections: upTo(CONNECTIONS_MAX, 'connections'),
  connectionsPerAddress: upTo(CONNECTIONS_MAX, 'connections of one address'),
  strangers: {
    ...upTo(CONNECTIONS_MAX, 'connections that have not said Hello'),
    default: STRANGERS_MAX,
  },
  strangersPerAddress: {
    ...upTo(CONNECTIONS_MAX, 'those of one address'),
    default: STRANGERS_AN_ADDRESS_MAX,
  },
  offencesPerAddress: rate('connections of one address closed for their own fault in 25 seconds'),
  heartbeatSeconds: {
    min: 8,
    max: 900,
    default: HEARTBEAT_SECONDS,
    help: 'seconds without a sign of life until a connection is closed',
  },
  valueBytes: upTo(VALUE_BYTES_MAX, 'bytes of a value that is sent'),
  inFlight: upTo(IN_FLIGHT_MAX, 'unanswered operations of a connection'),
  subscriptions: upTo(SUBSCRIPTIONS_MAX, 'subscriptions of a connection'),
  subscriptionsUnindexed: upTo(SUBSCRIPTIONS_UNINDEXED_MAX, 'of them those that no index serves'),
  operationsPerSecond: rate('operations, subscriptions and queries of a connection in a second'),
  bytesPerSecond: rate('bytes of frames of a connection in a second'),
};

export const DEFAULT_LIMITS: GatewayLimits = Object.fromEntries(
  Object.entries(LIMIT_RANGES).map(([name, range]) => [name, range.default]),
) as unknown as GatewayLimits;

function upTo(max: number, help: string): LimitRange {
  return { min: 1, max, default: max, help };
}

function rate(help: string): LimitRange {
  return { min: NO_BOUND, max: RATE_MAX, default: NO_BOUND, help };
}
