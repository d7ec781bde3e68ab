import t from 'tap';
import { drawRanks, KeySource, ZIPF_EXPONENT, zeta, zipfShare } from '#lib/load/distribution.js';
import { SEED } from '#lib/load/random.js';

const KEYS = 100_000;
const DRAWS = 1 << 20;

function countsOf(ranks: Uint32Array): Uint32Array {
  const counts = new Uint32Array(KEYS);
  for (const rank of ranks) counts[rank]++;
  return counts;
}

t.test('PERF-1: zeta agrees with the constant that YCSB publishes for 10^10 items', async (t) => {
  const ycsb = 26.46902820178302;
  t.ok(Math.abs(zeta(10_000_000_000, ZIPF_EXPONENT) - ycsb) < 1e-9);
  let plain = 0;
  for (let i = 1; i <= 50_000; i++) plain += i ** -ZIPF_EXPONENT;
  t.ok(Math.abs(zeta(50_000, ZIPF_EXPONENT) - plain) < 1e-9, 'and with the plain sum');
});

t.test('PERF-2: Zipf ranks are drawn as often as the formula says', async (t) => {
  const counts = countsOf(drawRanks('zipf', KEYS, SEED, DRAWS));
  for (const rank of [0, 1, 2, 3, 9, 99]) {
    const expected = zipfShare(rank, KEYS) * DRAWS;
    t.ok(Math.abs(counts[rank] - expected) < 4 * Math.sqrt(expected), `rank ${rank}`);
  }
  const tail = counts.subarray(50_000).reduce((sum, count) => sum + count, 0);
  let share = 0;
  for (let rank = 50_000; rank < KEYS; rank++) share += (rank + 1) ** -ZIPF_EXPONENT;
  share /= zeta(KEYS, ZIPF_EXPONENT);
  t.ok(Math.abs(tail - share * DRAWS) < 4 * Math.sqrt(share * DRAWS), 'the colder half');
});

t.test('PERF-3: uniform draws reach every key, none too often', async (t) => {
  const counts = countsOf(drawRanks('uniform', KEYS, SEED, DRAWS));
  const mean = DRAWS / KEYS;
  const squares = counts.reduce((sum, count) => sum + (count - mean) ** 2, 0) / mean;
  t.ok(Math.abs(squares - KEYS) < 5 * Math.sqrt(2 * KEYS), `chi squared is ${squares}`);
});

t.test('PERF-4: latest counts back from the newest key, which moves with inserts', async (t) => {
  const ranks = Uint32Array.of(0, 3, 0);
  const keys = new KeySource({
    distribution: 'latest',
    ranks,
    start: 0,
    keys: 10,
    connection: 0,
    connections: 1,
  });
  t.same([keys.next(), keys.next()], [9, 6]);
  t.equal(keys.insert(), 10);
  t.equal(keys.next(), 10);
});

t.test('PERF-5: one seed gives the same keys again, another seed others', async (t) => {
  t.same(drawRanks('zipf', KEYS, 7, 100), drawRanks('zipf', KEYS, 7, 100));
  t.notSame(drawRanks('zipf', KEYS, 7, 100), drawRanks('zipf', KEYS, 8, 100));
});
