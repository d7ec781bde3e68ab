import * as RecordLayout from '../memory/record-layout.js';
import {
  NO_RECORD,
  recordBytes,
  valueBytes,
  writeRecordStamp,
  writeValue,
} from './record-fields.js';
import {
  blobBytes,
  entryBytes,
  numberBytes,
  readFixed32,
  varintBytes,
  writeBytes,
  writeFixed32,
  writeNumber,
  writeStamp,
  writeVarint,
} from './wire-bytes.js';

/**
 * Writes the messages of a ServerFrame into memory that the caller owns; every `…Bytes` function
 * gives the exact length that its writer needs. Records are images (see record-layout.ts) in
 * `words`; `wordBytes` is the byte view of the same buffer. Writers return the offset behind.
 */

// ServerFrame
const CLOCK_TAG = 0x09;
const RESULTS_TAG = 0x1a;
const EVENTS_TAG = 0x22;
const EVENT_GROUPS_TAG = 0x72;
// Results and Events
const RESULT_TAG = 0x0a;
const TOPIC_TAG = 0x08;
// EventGroups
const GROUP_TAG = 0x0a;

/** A group's length, known at its end, is a varint of so many bytes whatever it is. */
const GROUP_LENGTH_BYTES = 3;

const HEAD_CLOCK_BYTES = 9;

/** A Result begins with these, zero or not, so that they can be patched where they lie. */
const RESULT_REFUSAL = 3;
const RESULT_LEVEL = 5;
const RESULT_REQUEST_ID = 7;
const RESULT_FIXED_BYTES = 11;

/** Room to keep in front of a body for its head. */
export const FRAME_HEAD_BYTES_MAX: number = HEAD_CLOCK_BYTES + 6 + 6;

/** What `beginEventGroup` writes at the most. */
export const GROUP_HEAD_BYTES_MAX: number = 1 + GROUP_LENGTH_BYTES + 6;

/** What a Result says; the caller keeps one and fills it anew for each. */
export interface ResultFields {
  requestId: number;
  /** Codes and level as on the wire; 0 if there is none. */
  outcome: number;
  refusal: number;
  level: number;
  partition: number;
  /** Index of the record spoken of, or NO_RECORD. */
  record: number;
  /** The record's value, value kind and expiry too; a tombstone has none. */
  withValue: boolean;
  /** A sentence in UTF-8; empty: none. */
  detail: Uint8Array;
  /** When it may be tried again; 0: nothing is known. */
  retryAfterMs: number;
}

/** A result that says nothing yet; it is filled again and again. */
export function emptyResult(): ResultFields {
  return {
    requestId: 0,
    outcome: 0,
    refusal: 0,
    level: 0,
    partition: 0,
    record: NO_RECORD,
    withValue: false,
    detail: new Uint8Array(0),
    retryAfterMs: 0,
  };
}

/** Length of the Result as an entry of Results: tag, length and fields. */
export function resultBytes(result: ResultFields, words: Int32Array): number {
  return entryBytes(resultBodyBytes(result, words));
}

/** Writes `result` as an entry of Results. */
export function writeResult(
  target: Uint8Array,
  offset: number,
  result: ResultFields,
  words: Int32Array,
  wordBytes: Uint8Array,
): number {
  target[offset] = RESULT_TAG;
  let at = writeVarint(target, offset + 1, resultBodyBytes(result, words));
  target[at] = 0x08;
  target[at + 1] = result.outcome;
  target[at + 2] = 0x10;
  target[at + RESULT_REFUSAL] = result.refusal;
  target[at + 4] = 0x18;
  target[at + RESULT_LEVEL] = result.level;
  target[at + 6] = 0x25;
  at = writeFixed32(target, at + 7, result.requestId);
  at = writeNumber(target, at, 0x28, result.partition);
  at = writeSpoken(target, at, result, words, wordBytes);
  at = writeBytes(target, at, 0x62, result.detail, 0, result.detail.length);
  return writeNumber(target, at, 0x68, result.retryAfterMs);
}

function writeSpoken(
  target: Uint8Array,
  offset: number,
  result: ResultFields,
  words: Int32Array,
  wordBytes: Uint8Array,
): number {
  const record = result.record;
  if (record === NO_RECORD) return offset;
  let at = writeNumber(target, offset, 0x30, RecordLayout.sequenceOf(words, record));
  target[at] = 0x39;
  at = writeRecordStamp(target, at + 1, words, record);
  at = writeNumber(target, at, 0x40, RecordLayout.nodeOf(words, record));
  if (!result.withValue || RecordLayout.isTombstone(words, record)) return at;
  at = writeValue(target, at, 0x4a, words, wordBytes, record);
  return writeNumber(target, at, 0x58, RecordLayout.expiresAtOf(words, record));
}

/** Sets the refusal of the Result that `writeResult` put at `offset`. */
export function patchRefusal(target: Uint8Array, offset: number, refusal: number): void {
  target[entryBody(target, offset) + RESULT_REFUSAL] = refusal;
}

/** Sets the level of the Result that `writeResult` put at `offset`. */
export function patchLevel(target: Uint8Array, offset: number, level: number): void {
  target[entryBody(target, offset) + RESULT_LEVEL] = level;
}

/** The refusal of the Result that `writeResult` put at `offset`; 0: none. */
export function refusalIn(target: Uint8Array, offset: number): number {
  return target[entryBody(target, offset) + RESULT_REFUSAL];
}

/** Sets the request id of the Result that `writeResult` put at `offset`. */
export function patchRequestId(target: Uint8Array, offset: number, requestId: number): void {
  writeFixed32(target, entryBody(target, offset) + RESULT_REQUEST_ID, requestId);
}

/** The request id of the Result that `writeResult` put at `offset`. */
export function requestIdOf(target: Uint8Array, offset: number): number {
  return readFixed32(target, entryBody(target, offset) + RESULT_REQUEST_ID);
}

/**
 * Writes the head of a ServerFrame whose Results entries are `target[start, end)`, directly before
 * them, and returns where the frame begins. FRAME_HEAD_BYTES_MAX before `start` must be free.
 */
export function writeResultsHead(
  target: Uint8Array,
  start: number,
  end: number,
  clockMs: number,
  clockCounter: number,
): number {
  return writeHead(target, start, RESULTS_TAG, end - start, clockMs, clockCounter);
}

/** As `writeResultsHead`, for entries of Events on `topic`. */
export function writeEventsHead(
  target: Uint8Array,
  start: number,
  end: number,
  topic: number,
  clockMs: number,
  clockCounter: number,
): number {
  const body = start - numberBytes(topic);
  writeNumber(target, body, TOPIC_TAG, topic);
  return writeHead(target, body, EVENTS_TAG, end - body, clockMs, clockCounter);
}

/** Begins an entry of EventGroups: entries of Events on `topic` follow, then `endEventGroup`. */
export function beginEventGroup(target: Uint8Array, offset: number, topic: number): number {
  target[offset] = GROUP_TAG;
  return writeNumber(target, offset + 1 + GROUP_LENGTH_BYTES, TOPIC_TAG, topic);
}

/** Writes the length of the group that begins at `offset` and ends at `end`: below 2 MiB. */
export function endEventGroup(target: Uint8Array, offset: number, end: number): void {
  const length = end - offset - 1 - GROUP_LENGTH_BYTES;
  target[offset + 1] = length | 0x80;
  target[offset + 2] = (length >>> 7) | 0x80;
  target[offset + 3] = length >>> 14;
}

/** As `writeResultsHead`, for groups of events. */
export function writeEventGroupsHead(
  target: Uint8Array,
  start: number,
  end: number,
  clockMs: number,
  clockCounter: number,
): number {
  return writeHead(target, start, EVENT_GROUPS_TAG, end - start, clockMs, clockCounter);
}

/** As `writeResultsHead`, for a single group, ended or not: a frame of Events, without its topic's group. */
export function writeSingleGroupHead(
  target: Uint8Array,
  start: number,
  end: number,
  clockMs: number,
  clockCounter: number,
): number {
  const body = start + 1 + GROUP_LENGTH_BYTES;
  return writeHead(target, body, EVENTS_TAG, end - body, clockMs, clockCounter);
}

/** Writes clock, tag and length of a body that lies at `target[body, body + length)`, before it. */
export function writeHead(
  target: Uint8Array,
  body: number,
  tag: number,
  length: number,
  clockMs: number,
  clockCounter: number,
): number {
  const start = body - varintBytes(length) - 1 - HEAD_CLOCK_BYTES;
  target[start] = CLOCK_TAG;
  const msHigh = RecordLayout.highWord(clockMs);
  const at = writeStamp(target, start + 1, RecordLayout.lowWord(clockMs), msHigh, clockCounter);
  target[at] = tag;
  writeVarint(target, at + 1, length);
  return start;
}

function resultBodyBytes(result: ResultFields, words: Int32Array): number {
  const record = result.record;
  const own = RESULT_FIXED_BYTES + numberBytes(result.partition);
  const bytes = own + blobBytes(result.detail.length) + numberBytes(result.retryAfterMs);
  if (record === NO_RECORD) return bytes;
  const spoken = bytes + recordBytes(words, record);
  if (!result.withValue || RecordLayout.isTombstone(words, record)) return spoken;
  return spoken + valueBytes(words, record);
}

/** Offset of the first field of the entry at `offset`. */
function entryBody(target: Uint8Array, offset: number): number {
  let at = offset + 1;
  while (target[at] >= 0x80) at++;
  return at + 1;
}
