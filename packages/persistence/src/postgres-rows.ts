import type { StoredRecord } from './store.js';

/** The columns of tidewire.record in the order in which rows are encoded. */
export const ROW_COLUMNS: readonly string[] = [
  'map',
  'key',
  'value',
  'kind',
  'hlc',
  'node',
  'partition',
  'sequence',
  'expires_at',
  'deleted',
];

// Postgres manual, COPY, "Binary Format".
const SIGNATURE = Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1');
const FLAGS_AND_EXTENSION_BYTES = 8;
const TRAILER_BYTES = 2;
const NULL_LENGTH = -1;
/** Of a row, all but the three texts: a count, ten lengths, and the numbers. */
const FIXED_BYTES: number = 2 + 10 * 4 + (2 + 8 + 4 + 2 + 8 + 8 + 1);
const UTF8_BYTES_A_UNIT = 3;
const LOW_RANGE = 0x1_0000_0000;
const STAMP_MS_RANGE = 0x1_0000;

/** Rows for `COPY … FROM STDIN (FORMAT binary)`: no text to make here and to parse there. */
export function encodeRows(records: readonly StoredRecord[]): Buffer {
  const target = Buffer.allocUnsafe(bytesAtMost(records));
  let at = SIGNATURE.copy(target, 0);
  target.fill(0, at, at + FLAGS_AND_EXTENSION_BYTES);
  at += FLAGS_AND_EXTENSION_BYTES;
  for (const record of records) at = encodeRow(record, target, at);
  at = target.writeInt16BE(-1, at);
  return target.subarray(0, at);
}

function bytesAtMost(records: readonly StoredRecord[]): number {
  let bytes = SIGNATURE.length + FLAGS_AND_EXTENSION_BYTES + TRAILER_BYTES;
  for (const { map, key, value } of records)
    bytes += FIXED_BYTES + UTF8_BYTES_A_UNIT * (map.length + key.length) + value.length;
  return bytes;
}

function encodeRow(record: StoredRecord, target: Buffer, start: number): number {
  const { value, ms, sequence, expiresAt } = record;
  let at = target.writeInt16BE(ROW_COLUMNS.length, start);
  at = encodeText(record.map, target, at);
  at = encodeText(record.key, target, at);
  at = target.writeInt32BE(value.length, at);
  target.set(value, at);
  at = encodeInt16(record.kind, target, at + value.length);
  const low = (ms % STAMP_MS_RANGE) * STAMP_MS_RANGE + record.counter;
  at = encodeInt64(Math.floor(ms / STAMP_MS_RANGE), low, target, at);
  at = target.writeInt32BE(4, at);
  at = target.writeInt32BE(record.node, at);
  at = encodeInt16(record.partition, target, at);
  at = encodeInt64(Math.floor(sequence / LOW_RANGE), sequence % LOW_RANGE, target, at);
  at =
    expiresAt === 0
      ? target.writeInt32BE(NULL_LENGTH, at)
      : encodeInt64(Math.floor(expiresAt / LOW_RANGE), expiresAt % LOW_RANGE, target, at);
  at = target.writeInt32BE(1, at);
  return target.writeInt8(record.deleted ? 1 : 0, at);
}

function encodeText(text: string, target: Buffer, at: number): number {
  const bytes = target.write(text, at + 4);
  return target.writeInt32BE(bytes, at) + bytes;
}

function encodeInt16(value: number, target: Buffer, at: number): number {
  return target.writeInt16BE(value, target.writeInt32BE(2, at));
}

function encodeInt64(high: number, low: number, target: Buffer, at: number): number {
  return target.writeUInt32BE(low, target.writeInt32BE(high, target.writeInt32BE(8, at)));
}
