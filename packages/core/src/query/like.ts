/**
 * `like`: % stands for any run of characters, _ for one character (a code point); all else for
 * itself. The time is bounded by the text's length times that of the longest part by 32, whatever the
 * pattern: a part between two % is sought once, from left to right, and never again.
 */
export function likeMatcher(pattern: string): (text: string) => boolean {
  const parts = pattern.split('%').map((part) => Array.from(part, codePoint));
  const first = parts[0];
  if (parts.length === 1) return (text) => matchesAt(text, 0, first) === text.length;
  const last = parts[parts.length - 1];
  const seekers = parts
    .slice(1, -1)
    .filter((part) => part.length > 0)
    .map(seeker);
  return (text) => {
    let at = matchesAt(text, 0, first);
    for (const seek of seekers) {
      if (at < 0) return false;
      at = seek(text, at);
    }
    if (at < 0) return false;
    const tail = startFromEnd(text, last.length);
    return tail >= at && matchesAt(text, tail, last) === text.length;
  };
}

/** Stands for any code point. */
const ANY = -1;

function codePoint(character: string): number {
  return character === '_' ? ANY : character.codePointAt(0)!;
}

/** Where `part` ends if it stands at `at`, else −1. */
function matchesAt(text: string, at: number, part: readonly number[]): number {
  let offset = at;
  for (const wanted of part) {
    const code = text.codePointAt(offset);
    if (code === undefined || (wanted !== ANY && wanted !== code)) return -1;
    offset += code > 0xffff ? 2 : 1;
  }
  return offset;
}

/** Where the last `count` code points of `text` begin, or −1. */
function startFromEnd(text: string, count: number): number {
  let offset = text.length;
  for (let i = 0; i < count; i++) {
    if (offset <= 0) return -1;
    // A low surrogate behind a high one is the second half of a code point.
    offset -= offset >= 2 && text.codePointAt(offset - 2)! > 0xffff ? 2 : 1;
  }
  return offset;
}

type Seeker = (text: string, from: number) => number;

/** Finds where the first `part` from an offset on ends, or −1. */
function seeker(part: readonly number[]): Seeker {
  if (part.length > 32) return bitSeeker(part);
  return part.includes(ANY) ? wordSeeker(part) : literalSeeker(String.fromCodePoint(...part));
}

function literalSeeker(part: string): Seeker {
  return (text, from) => {
    const at = text.indexOf(part, from);
    return at < 0 ? -1 : at + part.length;
  };
}

/**
 * Shift-And (Baeza-Yates and Gonnet 1992): bit i of the state says that the part's first i + 1 code
 * points end here. One step a code point for 32 of the part, however often it nearly matches.
 */
function bitSeeker(part: readonly number[]): Seeker {
  const words = Math.ceil(part.length / 32);
  const any = bitsOf(part, ANY, words);
  const masks = new Map(part.map((code) => [code, bitsOf(part, code, words)]));
  const asciiMasks = Array.from({ length: 128 }, (_, code) => masks.get(code) ?? any);
  const lastBit = (part.length - 1) % 32;
  const state = new Int32Array(words);
  return (text, from) => {
    state.fill(0);
    for (let at = from; at < text.length; ) {
      const code = text.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
      advance(state, code < 128 ? asciiMasks[code] : (masks.get(code) ?? any));
      if ((state[words - 1] >>> lastBit) & 1) return at;
    }
    return -1;
  };
}

/** The same for at most 32 code points: the time of most patterns, and of the dearest. */
function wordSeeker(part: readonly number[]): Seeker {
  const [any] = bitsOf(part, ANY, 1);
  const masks = new Map(part.map((code) => [code, bitsOf(part, code, 1)[0]]));
  const asciiMasks = Int32Array.from({ length: 128 }, (_, code) => masks.get(code) ?? any);
  const last = 1 << (part.length - 1);
  return (text, from) => {
    let state = 0;
    for (let at = from; at < text.length; ) {
      const code = text.codePointAt(at)!;
      at += code > 0xffff ? 2 : 1;
      state = ((state << 1) | 1) & (code < 128 ? asciiMasks[code] : (masks.get(code) ?? any));
      if ((state & last) !== 0) return at;
    }
    return -1;
  };
}

/** Bits of the places in `part` where `code` may stand. */
function bitsOf(part: readonly number[], code: number, words: number): Int32Array {
  const bits = new Int32Array(words);
  for (const [i, wanted] of part.entries())
    if (wanted === code || wanted === ANY) bits[i >>> 5] |= 1 << (i & 31);
  return bits;
}

function advance(state: Int32Array, mask: Int32Array): void {
  let carry = 1;
  for (let i = 0; i < state.length; i++) {
    const word = state[i];
    state[i] = ((word << 1) | carry) & mask[i];
    carry = word >>> 31;
  }
}
