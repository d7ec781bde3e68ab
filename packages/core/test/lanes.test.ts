import t from 'tap';
import { bytesToWords } from '#lib/memory/lanes.js';

const UNTOUCHED = 0x55555555;

t.test(
  'RING-13: bytes copied into words are padded with zeros and touch no word behind',
  async (t) => {
    for (const length of [0, 1, 3, 4, 5, 252, 255, 256, 257, 259, 260, 1024]) {
      const words = new Int32Array(new SharedArrayBuffer(1200)).fill(UNTOUCHED);
      const wordBytes = new Uint8Array(words.buffer);
      const bytes = Uint8Array.from({ length: length + 3 }, (_, i) => i + 1);
      bytesToWords(bytes, 3, length, words, wordBytes, 2);
      const end = 2 + Math.ceil(length / 4);
      t.same(wordBytes.slice(8, 8 + length), bytes.slice(3), `${length} bytes`);
      t.ok(
        wordBytes.slice(8 + length, end * 4).every((byte) => byte === 0),
        'padding',
      );
      t.equal(words[1], UNTOUCHED);
      t.equal(words[end], UNTOUCHED);
    }
  },
);
