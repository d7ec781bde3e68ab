import {
  EXTENSION_IF_ABSENT,
  EXTENSION_IF_STAMP,
  EXTENSION_UNCERTAIN,
  OperationExtension,
  type OperationFields,
} from '@tidewire/core/threads';
import { OperationKind } from '@tidewire/schemas';

/** Whoever sends operations, and is answered under its id. */
export interface Caller {
  readonly id: number;
  /** By which it is known again later; empty: it is not. */
  readonly token: Uint8Array;
  /** Names what is remembered of its updates: never that of an earlier caller of whom it was forgotten. */
  readonly memory: number;
}

/** An operation, whose names and value lie in bytes beside it. */
export interface OperationSource extends OperationFields {
  /** Effects of lower request ids are not asked for again. */
  lowestPending: number;
}

/** An update: executed on the record as it stands, with an extension in its ring record. */
export function isUpdate(reader: OperationFields): boolean {
  return reader.kind >= OperationKind.INCREMENT || reader.ifAbsent || hasIfStamp(reader);
}

/** Whether the fields that only updates have fit the operation's kind. */
export function areUpdateFieldsSound(reader: OperationFields): boolean {
  if (reader.keep !== 0 && reader.kind !== OperationKind.APPEND) return false;
  if (reader.ifAbsent && hasIfStamp(reader)) return false;
  if (reader.kind === OperationKind.GET) return !isUpdate(reader) && reader.ifNode === 0;
  return hasIfStamp(reader) === (reader.ifNode !== 0);
}

/** Writes the OperationExtension at `at`. */
export function writeExtension(
  words: Int32Array,
  at: number,
  reader: OperationSource,
  caller: Caller,
): void {
  writeToken(words, at + OperationExtension.TOKEN, caller.token);
  words[at + OperationExtension.LOWEST_PENDING] = reader.lowestPending;
  words[at + OperationExtension.FLAGS] =
    (reader.ifAbsent ? EXTENSION_IF_ABSENT : 0) |
    (hasIfStamp(reader) ? EXTENSION_IF_STAMP : 0) |
    (isUncertain(reader, caller) ? EXTENSION_UNCERTAIN : 0);
  // A fixed64 of milliseconds << 16 | counter as an operation has it in two words.
  const { ifStampLow, ifStampHigh } = reader;
  words[at + OperationExtension.IF_MS_LOW] = (ifStampHigh << 16) | (ifStampLow >>> 16);
  words[at + OperationExtension.IF_MS_HIGH_COUNTER] =
    (ifStampHigh & 0xffff0000) | (ifStampLow & 0xffff);
  words[at + OperationExtension.IF_NODE] = reader.ifNode;
  words[at + OperationExtension.KEEP] = reader.keep;
}

/** Writes the 4 words of a token; none at all as zeros. */
export function writeToken(words: Int32Array, at: number, token: Uint8Array): void {
  const view = new DataView(token.buffer, token.byteOffset, token.byteLength);
  for (let word = 0; word < OperationExtension.LOWEST_PENDING; word++)
    words[at + word] = token.length === 0 ? 0 : view.getInt32(4 * word, true);
}

/** Sent before, and had it had its effect, that would be remembered no more. */
function isUncertain({ firstMemory }: OperationFields, { token, memory }: Caller): boolean {
  return firstMemory !== 0 && (firstMemory !== memory || token.length === 0);
}

function hasIfStamp(reader: OperationFields): boolean {
  return (reader.ifStampLow | reader.ifStampHigh) !== 0;
}
