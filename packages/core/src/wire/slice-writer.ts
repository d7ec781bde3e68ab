import type { SliceKind } from '@tidewire/schemas';
import { entryBytes, numberBytes, writeFixed32, writeNumber, writeVarint } from './wire-bytes.js';

/** Writes Slices around events that are already encoded, by the rules of frame-writer.ts. */

const SLICE_TAG = 0x12;
const FORGOTTEN_TAG = 0x32;
const HASH_BYTES = 8;

/** Bytes of a Slice beside its events and hashes, at most. */
export const SLICE_HEAD_BYTES_MAX = 28;

/** What a Slice says, but for its events. */
export interface SliceFields {
  readonly partition: number;
  readonly kind: SliceKind;
  readonly begins: boolean;
  ends: boolean;
  /** What the partition has reached. */
  readonly sequence: number;
  /** Bytes of the events, as `writeSliceEvent` makes them. */
  eventsBytes: number;
  /** Hashes of forgotten keys, two words each, low before high. */
  readonly forgotten: number[];
}

/** Length of the Slice as an entry of CatchUp: tag, length and fields. */
export function sliceBytes(slice: SliceFields): number {
  return entryBytes(sliceBodyBytes(slice));
}

/** Writes what stands before the events of the slice, which follow directly behind. */
export function writeSliceHead(target: Uint8Array, offset: number, slice: SliceFields): number {
  target[offset] = SLICE_TAG;
  let at = writeVarint(target, offset + 1, sliceBodyBytes(slice));
  at = writeNumber(target, at, 0x08, slice.partition);
  at = writeNumber(target, at, 0x10, slice.kind);
  at = writeNumber(target, at, 0x18, Number(slice.begins));
  return writeNumber(target, at, 0x20, Number(slice.ends));
}

/** Writes what stands behind the events of the slice. */
export function writeSliceTail(target: Uint8Array, offset: number, slice: SliceFields): number {
  let at = offset;
  if (slice.forgotten.length > 0) {
    target[at] = FORGOTTEN_TAG;
    at = writeVarint(target, at + 1, slice.forgotten.length * 4);
    for (const word of slice.forgotten) at = writeFixed32(target, at, word);
  }
  return writeNumber(target, at, 0x38, slice.sequence);
}

function sliceBodyBytes({
  partition,
  kind,
  begins,
  ends,
  eventsBytes,
  sequence,
  forgotten,
}: SliceFields): number {
  const head = numberBytes(partition) + numberBytes(kind) + (begins ? 2 : 0) + (ends ? 2 : 0);
  const hashes = (forgotten.length / 2) * HASH_BYTES;
  return head + eventsBytes + (hashes === 0 ? 0 : entryBytes(hashes)) + numberBytes(sequence);
}
