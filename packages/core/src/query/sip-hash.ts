/**
 * SipHash-2-4 with 64 bits of result (Aumasson and Bernstein 2012). Own code: the npm package
 * `siphash` is CommonJS, which a browser cannot import, has no types, and allocates so much that it
 * is slower by far.
 */

/** A 64-bit number as two unsigned halves. */
export interface SipHash {
  readonly low: number;
  readonly high: number;
}

const FINAL_ROUNDS = 4;

/**
 * Hashes `bytes` under a key of 16 bytes. The four words of the state are eight locals, low and
 * high half, and all rounds one loop: that keeps them in registers.
 */
export function sipHash(bytes: Uint8Array, key: Uint8Array): SipHash {
  const wordRounds = 2 * ((bytes.length >>> 3) + 1);
  let low0 = halfAt(key, 0) ^ 0x70736575; // the text "somepseudorandomlygeneratedbytes"
  let high0 = halfAt(key, 4) ^ 0x736f6d65;
  let low1 = halfAt(key, 8) ^ 0x6e646f6d;
  let high1 = halfAt(key, 12) ^ 0x646f7261;
  let low2 = halfAt(key, 0) ^ 0x6e657261;
  let high2 = halfAt(key, 4) ^ 0x6c796765;
  let low3 = halfAt(key, 8) ^ 0x79746573;
  let high3 = halfAt(key, 12) ^ 0x74656462;
  let low = 0;
  let high = 0;
  for (let round = 0; round < wordRounds + FINAL_ROUNDS; round++) {
    if (round === wordRounds) low2 ^= 0xff;
    else if (round < wordRounds && (round & 1) === 0) {
      low = messageHalf(bytes, round * 4);
      high = messageHalf(bytes, round * 4 + 4);
      low3 ^= low;
      high3 ^= high;
    }

    low0 = (low0 + low1) | 0;
    high0 = (high0 + high1 + carryOf(low0, low1)) | 0;
    let old = low1;
    low1 = ((low1 << 13) | (high1 >>> 19)) ^ low0;
    high1 = ((high1 << 13) | (old >>> 19)) ^ high0;
    low2 = (low2 + low3) | 0;
    high2 = (high2 + high3 + carryOf(low2, low3)) | 0;
    old = low3;
    low3 = ((low3 << 16) | (high3 >>> 16)) ^ low2;
    high3 = ((high3 << 16) | (old >>> 16)) ^ high2;

    old = low0; // rotated by 32, and added to
    low0 = (high0 + low3) | 0;
    high0 = (old + high3 + carryOf(low0, low3)) | 0;
    old = low3;
    low3 = ((low3 << 21) | (high3 >>> 11)) ^ low0;
    high3 = ((high3 << 21) | (old >>> 11)) ^ high0;
    low2 = (low2 + low1) | 0;
    high2 = (high2 + high1 + carryOf(low2, low1)) | 0;
    old = low1;
    low1 = ((low1 << 17) | (high1 >>> 15)) ^ low2;
    high1 = ((high1 << 17) | (old >>> 15)) ^ high2;
    old = low2;
    low2 = high2;
    high2 = old;

    if (round < wordRounds && (round & 1) === 1) {
      low0 ^= low;
      high0 ^= high;
    }
  }
  return {
    low: (low0 ^ low1 ^ low2 ^ low3) >>> 0,
    high: (high0 ^ high1 ^ high2 ^ high3) >>> 0,
  };
}

/** 1 if a sum of 32 bits, to which `part` was added, has overflowed. */
function carryOf(sum: number, part: number): number {
  return sum >>> 0 < part >>> 0 ? 1 : 0;
}

/** Four bytes of the message; behind its end zeros, and its length in the last byte of all. */
function messageHalf(bytes: Uint8Array, at: number): number {
  if (at + 4 <= bytes.length) return halfAt(bytes, at);
  let half = (at & 4) === 0 ? 0 : bytes.length << 24;
  for (let i = at; i < bytes.length; i++) half |= bytes[i] << (8 * (i - at));
  return half;
}

function halfAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}
