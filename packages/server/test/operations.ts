import { packStamp } from '@tidewire/core';
import { AckLevel, OperationKind, ValueKind } from '@tidewire/schemas';
import type { OperationInit } from './raw-client.js';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true });

export const SAFE: OperationInit = { ackLevel: AckLevel.SAFE };

export function put(
  map: string,
  key: string,
  value: string | Uint8Array,
  more: OperationInit = {},
): OperationInit {
  const isText = typeof value === 'string';
  return {
    kind: OperationKind.PUT,
    map,
    key,
    value: isText ? encoder.encode(value) : value,
    valueKind: isText ? ValueKind.JSON : ValueKind.BYTES,
    ...more,
  };
}

export function get(map: string, key: string): OperationInit {
  return { kind: OperationKind.GET, map, key };
}

export function remove(map: string, key: string, more: OperationInit = {}): OperationInit {
  return { kind: OperationKind.REMOVE, map, key, ...more };
}

/** A stamp some milliseconds off from now. */
export function stampFromNow(ms: number, counter = 0): bigint {
  return packStamp(Date.now() + ms, counter);
}

export function textOf(bytes: Uint8Array): string {
  return decoder.decode(bytes);
}
