import { NODE_MAX, STAMP_MS_MAX } from '#lib/hlc.js';
import type { RecordFields } from './record-image.js';
import type { SeededRandom } from './seeded-random.js';

const GUARD = 0xee;
export const LONGS: readonly number[] = [
  0,
  1,
  127,
  128,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 45,
  2 ** 48 - 1,
];

export function randomRecord(random: SeededRandom): RecordFields {
  const isTombstone = random.chance(20);
  const valueLength = random.pick([0, 1, 3, 4, 63, 64, 100, 127, 128, 300, 20_000]);
  return {
    key: random.bytes(1 + random.below(random.chance(10) ? 1024 : 20)),
    value: random.bytes(isTombstone ? 0 : valueLength),
    valueKind: isTombstone ? 0 : random.below(3),
    isTombstone,
    ms: Math.min(1 + random.pick(LONGS), STAMP_MS_MAX),
    counter: random.pick([0, 1, 0x7fff, 0x8000, 0xffff]),
    node: random.pick([0, 1, 0x800000, NODE_MAX]),
    sequence: random.pick(LONGS),
    expiresAtMs: isTombstone ? 0 : random.pick([0, ...LONGS]),
  };
}

export const stampOf: (record: RecordFields) => bigint = ({ ms, counter }) =>
  (BigInt(ms) << 16n) | BigInt(counter);

/** The entry that `write` makes in a guarded buffer, having claimed exactly `length` bytes for it. */
export function written(
  length: number,
  write: (target: Uint8Array, offset: number) => number,
): Uint8Array {
  const target = new Uint8Array(length + 8).fill(GUARD);
  const end = write(target, 4);
  const guards = [...target.subarray(0, 4), ...target.subarray(length + 4)];
  if (end !== length + 4) throw new Error(`${end - 4} bytes written, ${length} claimed`);
  if (guards.some((byte) => byte !== GUARD)) throw new Error('wrote beyond its room');
  return target.slice(4, end);
}
