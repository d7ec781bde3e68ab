import { fromBinary } from '@bufbuild/protobuf';
import { unpackStamp } from '@tidewire/core';
import {
  type Event,
  EventKind,
  EventsSchema,
  Level,
  type Result,
  ResultsSchema,
  ValueKind,
} from '@tidewire/schemas';
import type { EntryEvent, EntryEventKind, OperationResult, Record } from './record.js';

/** What workers say, as bytes of the wire, to what callers are given. The only user of protobuf-es. */

const KINDS: Readonly<{ [kind: number]: EntryEventKind }> = {
  [EventKind.PUT]: 'put',
  [EventKind.REMOVE]: 'remove',
  [EventKind.ENTER]: 'enter',
  [EventKind.UPDATE]: 'update',
  [EventKind.LEAVE]: 'leave',
};

const decoder = new TextDecoder('utf-8', { fatal: true });

/** The Result at `bytes[offset, offset + length)`, an entry of Results. */
export function decodeResult(bytes: Uint8Array, offset: number, length: number): Result {
  return fromBinary(ResultsSchema, bytes.slice(offset, offset + length)).results[0];
}

/** The Event at `bytes[offset, offset + length)`, an entry of Events. */
export function decodeEvent(bytes: Uint8Array, offset: number, length: number): Event {
  return fromBinary(EventsSchema, bytes.slice(offset, offset + length)).events[0];
}

export function resultOf(map: string, key: string, result: Result): OperationResult {
  return {
    outcome: result.outcome,
    isDurable: result.level === Level.DATABASE,
    partition: result.partition,
    sequence: Number(result.sequence),
    stamp: { ...unpackStamp(result.stamp), node: result.node },
    record: result.valueKind === ValueKind.UNSPECIFIED ? undefined : recordOf(map, key, result),
  };
}

export function entryEventOf(map: string, event: Event): EntryEvent {
  const kind = KINDS[event.kind];
  const isGone = kind === 'remove' || kind === 'leave';
  return { kind, ...recordOf(map, event.key, event), ...(isGone && { value: undefined }) };
}

function recordOf(map: string, key: string, fields: Result | Event): Record {
  const value = fields.valueKind === ValueKind.JSON ? jsonOf(fields.value) : fields.value;
  return {
    map,
    key,
    value,
    stamp: { ...unpackStamp(fields.stamp), node: fields.node },
    partition: fields.partition,
    sequence: Number(fields.sequence),
    expiresAtMs: Number(fields.expiresAtMs),
  };
}

/** Text that is not JSON, which only a client can have stored, comes as it is. */
function jsonOf(bytes: Uint8Array): unknown {
  const text = decoder.decode(bytes);
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
