/** Prime, so that any regular pattern of hashes still spreads over all partitions. */
export const PARTITIONS = 271;

const SEED = 0x01000193;
const C1 = 0xcc9e2d51 | 0;
const C2 = 0x1b873593;

/** Mixes one 32-bit block into a MurmurHash3 state. */
export function murmurBlock(state: number, block: number): number {
  const k1 = Math.imul(block, C1);
  const h1 = state ^ Math.imul((k1 << 15) | (k1 >>> 17), C2);
  return (Math.imul((h1 << 13) | (h1 >>> 19), 5) + 0xe6546b64) | 0;
}

/** Mixes the last 1 to 3 bytes, zero-padded to a block; a zero `tail` changes nothing. */
export function murmurTail(state: number, tail: number): number {
  const k1 = Math.imul(tail, C1);
  return state ^ Math.imul((k1 << 15) | (k1 >>> 17), C2);
}

export function murmurFinish(state: number, length: number): number {
  let h1 = state ^ length;
  h1 = Math.imul(h1 ^ (h1 >>> 16), 0x85ebca6b);
  h1 = Math.imul(h1 ^ (h1 >>> 13), 0xc2b2ae35);
  return h1 ^ (h1 >>> 16);
}

export const MURMUR_START: number = SEED;

/** MurmurHash3 x86 32-bit (Appleby) of `bytes[offset, offset + length)`, as a signed number. */
export function hashOf(bytes: Uint8Array, offset = 0, length: number = bytes.length): number {
  const blocksEnd = offset + (length & ~3);
  let state = MURMUR_START;
  let i = offset;
  for (; i < blocksEnd; i += 4)
    state = murmurBlock(
      state,
      bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24),
    );
  let tail = 0;
  for (let shift = 0; i < offset + length; i++, shift += 8) tail |= bytes[i] << shift;
  return murmurFinish(murmurTail(state, tail), length);
}

/** `abs(hash) % 271`, and 0 for −2³¹, which has no absolute value in 32 bits. */
export function partitionOf(hash: number): number {
  if (hash === -0x80000000) return 0;
  const sign = hash >> 31;
  return (((hash ^ sign) - sign) >>> 0) % PARTITIONS;
}
