import { COUNTER_MAX, Code, KEY_BYTES_MAX, VALUE_BYTES_MAX } from '@tidewire/core';
import {
  bytesToWords,
  copyWords,
  EXTENSION_IF_ABSENT,
  EXTENSION_IF_STAMP,
  EXTENSION_UNCERTAIN,
  Operation,
  OperationExtension,
  RecordLayout,
} from '@tidewire/core/threads';
import { OperationKind, ValueKind } from '@tidewire/schemas';
import { ABSENT } from '../store/record-store.js';
import { isVisible, operationKindOf } from './operation.js';
import { isUpdateKind, type Update, type Updated, updatedValue } from './update-value.js';

const { LENGTHS, MAP_COUNTER, MS_HIGH_SEQUENCE_HIGH, MS_LOW, NODE_FLAGS } = RecordLayout;
const REQUEST_WORDS_MAX: number =
  Operation.KEY + RecordLayout.wordsOf(KEY_BYTES_MAX) + RecordLayout.wordsOf(VALUE_BYTES_MAX);
const KIND_SHIFT = 8;

/** Index of the extension of the OPERATION at `at`, which must be an update. */
export function extensionOf(request: Int32Array, at: number): number {
  const lengths = request[at + Operation.LENGTHS];
  return valueIndexOf(request, at) + RecordLayout.wordsOf(RecordLayout.valueLengthOf(lengths));
}

/** Whether nobody knows any more if this repeated operation has had its effect. */
export function isUncertain(request: Int32Array, extension: number): boolean {
  const flags = request[extension + OperationExtension.FLAGS];
  const isGuarded = (flags & (EXTENSION_IF_ABSENT | EXTENSION_IF_STAMP)) !== 0;
  return (flags & EXTENSION_UNCERTAIN) !== 0 && !isGuarded;
}

/** Whether the record, or ABSENT, is as the update demands. */
export function meetsCondition(
  request: Int32Array,
  at: number,
  words: Int32Array,
  record: number,
): boolean {
  const extension = extensionOf(request, at);
  const flags = request[extension + OperationExtension.FLAGS];
  const isThere = record !== ABSENT && isVisible(request, at, words, record);
  if ((flags & EXTENSION_IF_ABSENT) !== 0 && isThere) return false;
  if ((flags & EXTENSION_IF_STAMP) === 0) return true;
  return isThere && hasStamp(request, extension, words, record);
}

function hasStamp(
  request: Int32Array,
  extension: number,
  words: Int32Array,
  record: number,
): boolean {
  const highs = request[extension + OperationExtension.IF_MS_HIGH_COUNTER];
  return (
    words[record + MS_LOW] === request[extension + OperationExtension.IF_MS_LOW] &&
    words[record + MS_HIGH_SEQUENCE_HIGH] >>> 16 === highs >>> 16 &&
    (words[record + MAP_COUNTER] & 0xffff) === (highs & 0xffff) &&
    words[record + NODE_FLAGS] >>> 8 === request[extension + OperationExtension.IF_NODE]
  );
}

/**
 * The plain write that an update comes to, given the record that it finds: an OPERATION of kind PUT
 * or REMOVE, stamped above the record. One is made at a time.
 */
export class UpdateRequest {
  /** The write, from word 0 on. */
  readonly words: Int32Array = new Int32Array(new SharedArrayBuffer(REQUEST_WORDS_MAX * 4));
  readonly #wordBytes: Uint8Array = new Uint8Array(this.words.buffer);

  /** Returns 0, or why the update cannot be done to this record. */
  make(request: Int32Array, at: number, records: Int32Array, record: number): Code {
    const kind = operationKindOf(request, at);
    const before = record === ABSENT ? ABSENT : visible(request, at, records, record);
    const { words } = this;
    copyWords(request, at, words, 0, Operation.KEY);
    copyWords(request, at + Operation.KEY, words, Operation.KEY, keyWordsOf(request, at));
    raiseStamp(words, records, record);
    if (!isUpdateKind(kind)) return this.#keepValue(request, at);
    if (before !== ABSENT && RecordLayout.valueKindOf(records, before) !== ValueKind.JSON)
      return Code.PRECONDITION;
    const updated = updatedValue(updateOf(kind, request, at), valueBytesOf(records, before));
    return this.#setValue(updated, records, before);
  }

  #keepValue(request: Int32Array, at: number): Code {
    const from = valueIndexOf(request, at);
    const length = RecordLayout.valueLengthOf(request[at + Operation.LENGTHS]);
    copyWords(request, from, this.words, from - at, RecordLayout.wordsOf(length));
    return Code.UNSPECIFIED;
  }

  #setValue(updated: Updated, records: Int32Array, before: number): Code {
    if ('refusal' in updated) return updated.refusal;
    const { words } = this;
    const { value } = updated;
    const kindBits = words[Operation.MAP_KIND_FLAGS] & ~(0xff << KIND_SHIFT);
    words[Operation.MAP_KIND_FLAGS] = kindBits | (OperationKind.PUT << KIND_SHIFT);
    words[Operation.NODE_VALUE_KIND] = (words[Operation.NODE_VALUE_KIND] & ~0xff) | ValueKind.JSON;
    const keyLength = RecordLayout.keyLengthOf(words[Operation.LENGTHS]);
    words[Operation.LENGTHS] = RecordLayout.packLengths(keyLength, value.length);
    bytesToWords(value, 0, value.length, words, this.#wordBytes, valueIndexOf(words, 0));
    keepExpiry(words, records, before);
    return Code.UNSPECIFIED;
  }
}

/** An update without a lifetime of its own leaves the record's as it is. */
function keepExpiry(words: Int32Array, records: Int32Array, before: number): void {
  if (before === ABSENT || (words[Operation.EXPIRES_LOW] | words[Operation.EXPIRES_HIGH]) !== 0)
    return;
  const expiresAt = RecordLayout.expiresAtOf(records, before);
  words[Operation.EXPIRES_LOW] = RecordLayout.lowWord(expiresAt);
  words[Operation.EXPIRES_HIGH] = RecordLayout.highWord(expiresAt);
}

/** Moves the write's stamp to the next one above the record's, unless it lies above already. */
function raiseStamp(words: Int32Array, records: Int32Array, record: number): void {
  if (record === ABSENT) return;
  const recordMs = RecordLayout.stampMsOf(records, record);
  const recordCounter = RecordLayout.stampCounterOf(records, record);
  const highs = words[Operation.MS_HIGH_COUNTER];
  const ms = RecordLayout.joinWords(words[Operation.MS_LOW], highs >>> 16);
  if (ms > recordMs || (ms === recordMs && (highs & 0xffff) > recordCounter)) return;
  const carries = recordCounter === COUNTER_MAX;
  const nextMs = carries ? recordMs + 1 : recordMs;
  const counter = carries ? 0 : recordCounter + 1;
  words[Operation.MS_LOW] = RecordLayout.lowWord(nextMs);
  words[Operation.MS_HIGH_COUNTER] = (RecordLayout.highWord(nextMs) << 16) | counter;
}

function updateOf(kind: Update['kind'], request: Int32Array, at: number): Update {
  const length = RecordLayout.valueLengthOf(request[at + Operation.LENGTHS]);
  return {
    kind,
    argument: bytesAt(request, valueIndexOf(request, at), length),
    keep: request[extensionOf(request, at) + OperationExtension.KEEP] >>> 0,
  };
}

function valueBytesOf(records: Int32Array, record: number): Uint8Array | undefined {
  if (record === ABSENT) return undefined;
  const length = RecordLayout.valueLengthOf(records[record + LENGTHS]);
  return bytesAt(records, RecordLayout.valueIndex(records, record), length);
}

/** A copy: text is not decoded from shared memory. */
function bytesAt(words: Int32Array, index: number, length: number): Uint8Array {
  return new Uint8Array(words.buffer, index * 4, length).slice();
}

function visible(request: Int32Array, at: number, records: Int32Array, record: number): number {
  return isVisible(request, at, records, record) ? record : ABSENT;
}

function valueIndexOf(request: Int32Array, at: number): number {
  return at + Operation.KEY + keyWordsOf(request, at);
}

function keyWordsOf(request: Int32Array, at: number): number {
  return RecordLayout.wordsOf(RecordLayout.keyLengthOf(request[at + Operation.LENGTHS]));
}
