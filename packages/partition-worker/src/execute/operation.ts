import {
  OPERATION_CLIENT_STAMP,
  OPERATION_EXTENDED,
  OPERATION_PRESENCE,
  OPERATION_RETURN_WINNER,
  OPERATION_RULED,
  OPERATION_SAFE,
  Operation,
  RecordLayout,
} from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';

const { FLAG_EXPIRES, FLAG_KIND_SHIFT, FLAG_PRESENCE, FLAG_TOMBSTONE } = RecordLayout;

/** Reads the fields of an OPERATION ring record that are packed together. */
export function operationKindOf(request: Int32Array, at: number): number {
  return (request[at + Operation.MAP_KIND_FLAGS] >>> 8) & 0xff;
}

export function returnsWinner(request: Int32Array, at: number): boolean {
  return (request[at + Operation.MAP_KIND_FLAGS] & OPERATION_RETURN_WINNER) !== 0;
}

export function isSafe(request: Int32Array, at: number): boolean {
  return (request[at + Operation.MAP_KIND_FLAGS] & OPERATION_SAFE) !== 0;
}

/** An update: it is executed on what is there, whatever the stamps say. */
export function isUpdate(request: Int32Array, at: number): boolean {
  return (request[at + Operation.MAP_KIND_FLAGS] & OPERATION_EXTENDED) !== 0;
}

/** The session may not do it to every record. */
export function isRuled(request: Int32Array, at: number): boolean {
  return (request[at + Operation.MAP_KIND_FLAGS] & OPERATION_RULED) !== 0;
}

/** Whether the stamp is a client's, and not one that the server has just given. */
export function isClientStamped(request: Int32Array, at: number): boolean {
  return (request[at + Operation.MAP_KIND_FLAGS] & OPERATION_CLIENT_STAMP) !== 0;
}

/** The time by which it is decided what has expired. */
export function nowOf(request: Int32Array, at: number): number {
  return RecordLayout.joinWords(request[at + Operation.NOW_LOW], request[at + Operation.NOW_HIGH]);
}

/** Flags of the record that a write makes. */
export function flagsOf(request: Int32Array, at: number): number {
  if (operationKindOf(request, at) === OperationKind.REMOVE) return FLAG_TOMBSTONE;
  const expires =
    (request[at + Operation.EXPIRES_LOW] | request[at + Operation.EXPIRES_HIGH]) !== 0;
  const kind = request[at + Operation.NODE_VALUE_KIND] & 0xff;
  const isPresence = (request[at + Operation.MAP_KIND_FLAGS] & OPERATION_PRESENCE) !== 0;
  return (
    (kind << FLAG_KIND_SHIFT) | (expires ? FLAG_EXPIRES : 0) | (isPresence ? FLAG_PRESENCE : 0)
  );
}

/** Whether the record has a value to show at the operation's time. */
export function isVisible(
  request: Int32Array,
  at: number,
  words: Int32Array,
  record: number,
): boolean {
  return RecordLayout.isStanding(words, record, nowOf(request, at));
}
