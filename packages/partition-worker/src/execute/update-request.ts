import { COUNTER_MAX, Code, KEY_BYTES_MAX, unreachable, VALUE_BYTES_MAX } from '@tidewire/core';
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
import type { Processed, ProcessorRunner } from './processor-runner.js';
import {
  argumentOf,
  extensionOf,
  keyWordsOf,
  valueBytesOf,
  valueIndexOf,
} from './request-fields.js';
import { isUpdateKind, type Refused, type Update, unfit, updatedValue } from './update-value.js';

const { MAP_COUNTER, MS_HIGH_SEQUENCE_HIGH, MS_LOW, NODE_FLAGS } = RecordLayout;
const REQUEST_WORDS_MAX: number =
  Operation.KEY + RecordLayout.wordsOf(KEY_BYTES_MAX) + RecordLayout.wordsOf(VALUE_BYTES_MAX);
const KIND_SHIFT = 8;

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
  readonly #runner: ProcessorRunner;
  /** A sentence on why the last one was not made; empty: there is none. */
  reason = '';

  constructor(runner: ProcessorRunner) {
    this.#runner = runner;
  }

  /** Returns 0, why the update cannot be done to this record, or FOUND: there is nothing to do. */
  make(request: Int32Array, at: number, records: Int32Array, record: number): Code {
    this.reason = '';
    const kind = operationKindOf(request, at);
    const before = visible(request, at, records, record);
    this.#begin(request, at, records, record);
    if (kind === OperationKind.EXECUTE)
      return this.#take(this.#runner.run(request, at, records, before), records, before);
    if (!isUpdateKind(kind)) return this.#keepValue(request, at);
    if (before !== ABSENT && RecordLayout.valueKindOf(records, before) !== ValueKind.JSON)
      return this.#refuse(unfit(kind, 'bytes'));
    const updated = updatedValue(
      updateOf(kind, request, at),
      before === ABSENT ? undefined : valueBytesOf(records, before),
    );
    if ('refusal' in updated) return this.#refuse(updated);
    this.#setValue(updated.value, records, before);
    return Code.UNSPECIFIED;
  }

  /** The same for a record of a group, of which it is known what becomes of it. */
  makeOf(
    processed: Processed,
    request: Int32Array,
    at: number,
    records: Int32Array,
    record: number,
  ): Code {
    this.#begin(request, at, records, record);
    const before = visible(request, at, records, record);
    return this.#take(processed, records, before);
  }

  #begin(request: Int32Array, at: number, records: Int32Array, record: number): void {
    const { words } = this;
    copyWords(request, at, words, 0, Operation.KEY);
    copyWords(request, at + Operation.KEY, words, Operation.KEY, keyWordsOf(request, at));
    raiseStamp(words, records, record);
  }

  #refuse({ refusal, reason }: Refused): Code {
    this.reason = reason;
    return refusal;
  }

  #keepValue(request: Int32Array, at: number): Code {
    const from = valueIndexOf(request, at);
    const length = RecordLayout.valueLengthOf(request[at + Operation.LENGTHS]);
    copyWords(request, from, this.words, from - at, RecordLayout.wordsOf(length));
    return Code.UNSPECIFIED;
  }

  /** FOUND: the processor leaves the record as it is. */
  #take(processed: Processed, records: Int32Array, before: number): Code {
    switch (processed.kind) {
      case 'PUT':
        if (processed.ttlMs > 0) setLifetime(this.words, processed.ttlMs);
        this.#setValue(processed.value, records, before);
        return Code.UNSPECIFIED;
      case 'REMOVE':
        this.#setKind(OperationKind.REMOVE);
        return Code.UNSPECIFIED;
      case 'NOTHING':
        return Code.FOUND;
      case 'FAILED':
        return this.#refuse({ refusal: Code.FAILED, reason: processed.reason });
      default:
        return unreachable(processed);
    }
  }

  #setKind(kind: OperationKind): void {
    const { words } = this;
    const kindBits = words[Operation.MAP_KIND_FLAGS] & ~(0xff << KIND_SHIFT);
    words[Operation.MAP_KIND_FLAGS] = kindBits | (kind << KIND_SHIFT);
  }

  #setValue(value: Uint8Array, records: Int32Array, before: number): void {
    const { words } = this;
    this.#setKind(OperationKind.PUT);
    words[Operation.NODE_VALUE_KIND] = (words[Operation.NODE_VALUE_KIND] & ~0xff) | ValueKind.JSON;
    const keyLength = RecordLayout.keyLengthOf(words[Operation.LENGTHS]);
    words[Operation.LENGTHS] = RecordLayout.packLengths(keyLength, value.length);
    bytesToWords(value, 0, value.length, words, this.#wordBytes, valueIndexOf(words, 0));
    keepExpiry(words, records, before);
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

function setLifetime(words: Int32Array, ttlMs: number): void {
  const stampMs = RecordLayout.joinWords(
    words[Operation.MS_LOW],
    words[Operation.MS_HIGH_COUNTER] >>> 16,
  );
  words[Operation.EXPIRES_LOW] = RecordLayout.lowWord(stampMs + ttlMs);
  words[Operation.EXPIRES_HIGH] = RecordLayout.highWord(stampMs + ttlMs);
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
  return {
    kind,
    argument: argumentOf(request, at),
    keep: request[extensionOf(request, at) + OperationExtension.KEEP] >>> 0,
  };
}

/** The record if it is visible to the operation, else ABSENT. */
export function visible(
  request: Int32Array,
  at: number,
  records: Int32Array,
  record: number,
): number {
  return record !== ABSENT && isVisible(request, at, records, record) ? record : ABSENT;
}
