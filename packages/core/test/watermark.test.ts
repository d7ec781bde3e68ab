import fc from 'fast-check';
import t from 'tap';
import { loadWatermark, storeWatermark } from '#lib/memory/watermark.js';
import { holds } from './property.js';

const values = fc.oneof(
  fc.integer({ min: 0, max: 2 ** 48 - 1 }),
  fc
    .tuple(fc.integer({ min: 1, max: 2 ** 16 - 1 }), fc.integer({ min: -2, max: 2 }))
    .map(([carry, near]) => carry * 2 ** 32 + near),
);

function wordsWith(value: number): Int32Array {
  const words = new Int32Array(new SharedArrayBuffer(8));
  storeWatermark(words, 0, value);
  return words;
}

t.test('RING-9: a watermark of 48 bits comes back as it was stored', async (t) => {
  holds(
    t,
    fc.property(values, (value) => loadWatermark(wordsWith(value), 0) === value),
  );
});

t.test('RING-9: read while it is raised it is never above what has been stored', async (t) => {
  holds(
    t,
    fc.property(values, values, (a, b) => {
      const [from, to] = [Math.min(a, b), Math.max(a, b)];
      return interleavedReads(from, to).every((read) => read <= to);
    }),
  );
});

/** What a reader (high, then low) may see of a writer (low, then high), in all interleavings. */
function interleavedReads(from: number, to: number): number[] {
  const [old, next] = [wordsWith(from), wordsWith(to)];
  const reads: number[] = [];
  for (let beforeHigh = 0; beforeHigh <= 2; beforeHigh++)
    for (let beforeLow = beforeHigh; beforeLow <= 2; beforeLow++) {
      const seen = new Int32Array(new SharedArrayBuffer(8));
      seen[1] = beforeHigh === 2 ? next[1] : old[1];
      seen[0] = beforeLow >= 1 ? next[0] : old[0];
      reads.push(loadWatermark(seen, 0));
    }
  return reads;
}
