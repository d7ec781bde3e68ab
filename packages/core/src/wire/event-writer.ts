import { EventKind } from '@tidewire/schemas';
import * as RecordLayout from '../memory/record-layout.js';
import { partitionOf } from '../partition-hash.js';
import {
  contentBytes,
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
  writeBytes,
  writeNumber,
  writeVarint,
} from './wire-bytes.js';

/** Writes Events, by the rules of frame-writer.ts. */

const EVENT_TAG = 0x12; // of Events and of Rows
const SLICE_EVENT_TAG = 0x2a;

/** What an Event says; the caller keeps one and fills it anew for each. */
export interface EventFields {
  /** As on the wire; REMOVE and LEAVE carry no value. */
  kind: EventKind;
  /** Index of the record that the change has made. */
  record: number;
  /** Index of the record whose value goes along as the value before, or NO_RECORD. */
  old: number;
}

/** Length of the Event as an entry of Events, Rows or Slice: tag, length and fields. */
export function eventBytes(event: EventFields, words: Int32Array): number {
  return entryBytes(eventBodyBytes(event, words));
}

/** Writes `event` as an entry of Events or of Rows. */
export function writeEvent(
  target: Uint8Array,
  offset: number,
  event: EventFields,
  words: Int32Array,
  wordBytes: Uint8Array,
): number {
  target[offset] = EVENT_TAG;
  return writeEventBody(target, offset + 1, event, words, wordBytes);
}

/** Writes `event` as an entry of a Slice. */
export function writeSliceEvent(
  target: Uint8Array,
  offset: number,
  event: EventFields,
  words: Int32Array,
  wordBytes: Uint8Array,
): number {
  target[offset] = SLICE_EVENT_TAG;
  return writeEventBody(target, offset + 1, event, words, wordBytes);
}

function eventBodyBytes(event: EventFields, words: Int32Array): number {
  const { record, old } = event;
  const keyLength = RecordLayout.keyLengthOf(words[record + RecordLayout.LENGTHS]);
  const partition = partitionOf(words[record + RecordLayout.HASH]);
  let bytes = 2 + numberBytes(partition) + recordBytes(words, record) + blobBytes(keyLength);
  if (hasValue(event)) bytes += valueBytes(words, record);
  if (old !== NO_RECORD) bytes += contentBytes(words, old);
  return bytes;
}

function writeEventBody(
  target: Uint8Array,
  offset: number,
  event: EventFields,
  words: Int32Array,
  wordBytes: Uint8Array,
): number {
  const { record, old } = event;
  let at = writeVarint(target, offset, eventBodyBytes(event, words));
  at = writeNumber(target, at, 0x08, event.kind);
  at = writeNumber(target, at, 0x10, partitionOf(words[record + RecordLayout.HASH]));
  at = writeNumber(target, at, 0x18, RecordLayout.sequenceOf(words, record));
  const keyLength = RecordLayout.keyLengthOf(words[record + RecordLayout.LENGTHS]);
  const keyOffset = RecordLayout.keyIndex(record) * 4;
  at = writeBytes(target, at, 0x22, wordBytes, keyOffset, keyLength);
  if (hasValue(event)) at = writeValue(target, at, 0x2a, words, wordBytes, record);
  target[at] = 0x39;
  at = writeRecordStamp(target, at + 1, words, record);
  at = writeNumber(target, at, 0x40, RecordLayout.nodeOf(words, record));
  if (hasValue(event)) at = writeNumber(target, at, 0x48, RecordLayout.expiresAtOf(words, record));
  return old === NO_RECORD ? at : writeValue(target, at, 0x52, words, wordBytes, old);
}

function hasValue({ kind }: EventFields): boolean {
  return kind !== EventKind.REMOVE && kind !== EventKind.LEAVE;
}
