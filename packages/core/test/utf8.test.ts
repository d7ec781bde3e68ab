import t from 'tap';
import { isCleanUtf8 } from '#lib/wire/utf8.js';
import { SEED, SeededRandom } from './seeded-random.js';

const decoder = new TextDecoder('utf-8', { fatal: true });

function isClean(bytes: Uint8Array): boolean {
  try {
    decoder.decode(bytes);
    return !bytes.includes(0);
  } catch {
    return false;
  }
}

/** Bytes at and beside every limit of the grammar. */
const EDGES = [
  0x00, 0x01, 0x41, 0x7f, 0x80, 0x81, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0,
  0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xf7, 0xf8, 0xff,
];

/** The first of the strings that the two disagree about, in hexadecimal. */
function firstDisagreement(choices: readonly number[], length: number): string | undefined {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < choices.length ** length; i++) {
    for (let rest = i, at = 0; at < length; at++, rest = Math.floor(rest / choices.length))
      bytes[at] = choices[rest % choices.length];
    if (isCleanUtf8(bytes, 0, length) !== isClean(bytes)) return Buffer.from(bytes).toString('hex');
  }
  return undefined;
}

t.test('WIRE-15: text is valid UTF-8 without NUL', async (t) => {
  const all = Array.from({ length: 256 }, (_, byte) => byte);
  for (const length of [0, 1, 2]) t.equal(firstDisagreement(all, length), undefined);
  for (const length of [3, 4]) t.equal(firstDisagreement(EDGES, length), undefined);
});

t.test('WIRE-15: a code point of any length is valid, whatever stands around it', async (t) => {
  let wrong = 0;
  for (let code = 1; code <= 0x10ffff; code += code < 0x1000 ? 1 : 61) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const bytes = new TextEncoder().encode(`a${String.fromCodePoint(code)}z`);
    if (!isCleanUtf8(bytes, 0, bytes.length)) wrong = code;
  }
  t.equal(wrong.toString(16), '0', 'no code point is refused');
});

t.test(
  'WIRE-15: random text is judged as by TextDecoder, also in the middle of a frame',
  async (t) => {
    const random = new SeededRandom(SEED);
    let wrong = '';
    for (let i = 0; i < 50_000; i++) {
      const length = random.below(24);
      const bytes = Uint8Array.from({ length: length + 4 }, () => random.pick(EDGES));
      if (random.chance(70)) new TextEncoder().encodeInto('aä日😀b'.repeat(4), bytes.subarray(2));
      if (random.chance(50)) bytes[2 + random.below(length + 1)] = random.pick(EDGES);
      const isSame = isCleanUtf8(bytes, 2, length) === isClean(bytes.subarray(2, 2 + length));
      if (!isSame) wrong = Buffer.from(bytes.subarray(2, 2 + length)).toString('hex');
    }
    t.equal(wrong, '', 'no text is judged differently');
  },
);
