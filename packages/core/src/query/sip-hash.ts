/**
 * SipHash-2-4 with 64 bits of result (Aumasson and Bernstein 2012). Own code: the npm package
 * `siphash` is CommonJS without types, and allocates so much that it takes several times as long.
 */

/** A 64-bit number as two unsigned halves. */
export interface SipHash {
  readonly low: number;
  readonly high: number;
}

// Places of the state's four words, each as low and high half.
const V0 = 0;
const V1 = 2;
const V2 = 4;
const V3 = 6;

/** Hashes `bytes` under a key of 16 bytes. */
export function sipHash(bytes: Uint8Array, key: Uint8Array): SipHash {
  const state = initialState(key);
  const whole = bytes.length & ~7;
  for (let at = 0; at < whole; at += 8) compress(state, wordAt(bytes, at), wordAt(bytes, at + 4));
  let low = 0;
  let high = bytes.length << 24;
  for (let i = whole; i < bytes.length; i++) {
    const place = i - whole;
    if (place < 4) low |= bytes[i] << (8 * place);
    else high |= bytes[i] << (8 * (place - 4));
  }
  compress(state, low, high);
  state[V2] ^= 0xff;
  for (let i = 0; i < 4; i++) round(state);
  return {
    low: (state[V0] ^ state[V1] ^ state[V2] ^ state[V3]) >>> 0,
    high: (state[V0 + 1] ^ state[V1 + 1] ^ state[V2 + 1] ^ state[V3 + 1]) >>> 0,
  };
}

/** The text "somepseudorandomlygeneratedbytes" in big-endian words, with the key mixed in. */
function initialState(key: Uint8Array): Int32Array {
  const k0 = [wordAt(key, 0), wordAt(key, 4)];
  const k1 = [wordAt(key, 8), wordAt(key, 12)];
  return Int32Array.of(
    k0[0] ^ 0x70736575,
    k0[1] ^ 0x736f6d65,
    k1[0] ^ 0x6e646f6d,
    k1[1] ^ 0x646f7261,
    k0[0] ^ 0x6e657261,
    k0[1] ^ 0x6c796765,
    k1[0] ^ 0x79746573,
    k1[1] ^ 0x74656462,
  );
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24);
}

function compress(state: Int32Array, low: number, high: number): void {
  state[V3] ^= low;
  state[V3 + 1] ^= high;
  round(state);
  round(state);
  state[V0] ^= low;
  state[V0 + 1] ^= high;
}

function round(state: Int32Array): void {
  add(state, V0, V1);
  rotateXor(state, V1, V0, 13);
  swap(state, V0);
  add(state, V2, V3);
  rotateXor(state, V3, V2, 16);
  add(state, V0, V3);
  rotateXor(state, V3, V0, 21);
  add(state, V2, V1);
  rotateXor(state, V1, V2, 17);
  swap(state, V2);
}

function add(state: Int32Array, target: number, source: number): void {
  const low = state[target] + state[source];
  const carry = (state[target] >>> 0) + (state[source] >>> 0) > 0xffff_ffff ? 1 : 0;
  state[target] = low;
  state[target + 1] += state[source + 1] + carry;
}

/** Rotates `target` left by `bits` (below 32), then mixes `source` in. */
function rotateXor(state: Int32Array, target: number, source: number, bits: number): void {
  const low = state[target];
  const high = state[target + 1];
  state[target] = ((low << bits) | (high >>> (32 - bits))) ^ state[source];
  state[target + 1] = ((high << bits) | (low >>> (32 - bits))) ^ state[source + 1];
}

/** Rotates by 32. */
function swap(state: Int32Array, target: number): void {
  const low = state[target];
  state[target] = state[target + 1];
  state[target + 1] = low;
}
