import { assert } from '@tidewire/core';

/** Looks into an entry of Events or Rows as a worker has written it: kind first, key fourth. */

const KIND_TAG = 0x08;
const PARTITION_TAG = 0x10;
const SEQUENCE_TAG = 0x18;
const KEY_TAG = 0x22;

/** Where the kind of the Event lies whose entry begins at `offset`: one byte. */
export function kindOffset(bytes: Uint8Array, offset: number): number {
  const body = skipVarint(bytes, offset + 1);
  assert(bytes[body] === KIND_TAG, 'an event begins with its kind');
  return body + 1;
}

/** The UTF-8 bytes of the Event's key, a view. */
export function keyOf(bytes: Uint8Array, offset: number): Uint8Array {
  let at = kindOffset(bytes, offset) + 1;
  if (bytes[at] === PARTITION_TAG) at = skipVarint(bytes, at + 1);
  if (bytes[at] === SEQUENCE_TAG) at = skipVarint(bytes, at + 1);
  assert(bytes[at] === KEY_TAG, 'an event has a key');
  const start = skipVarint(bytes, at + 1);
  return bytes.subarray(start, start + readVarint(bytes, at + 1));
}

function skipVarint(bytes: Uint8Array, offset: number): number {
  let at = offset;
  while (bytes[at] >= 0x80) at++;
  return at + 1;
}

function readVarint(bytes: Uint8Array, offset: number): number {
  let value = 0;
  let at = offset;
  for (let shift = 0; ; shift += 7) {
    value |= (bytes[at] & 0x7f) << shift;
    if (bytes[at++] < 0x80) return value;
  }
}
