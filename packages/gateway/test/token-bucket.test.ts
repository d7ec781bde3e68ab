import t from 'tap';
import { TokenBucket } from '#lib/session/token-bucket.js';
import { SEED, SeededRandom } from './seeded-random.js';

const PER_SECOND = 100;

t.test('LIMIT-10: a bucket begins full and drips as it was told', async (t) => {
  const bucket = new TokenBucket(PER_SECOND, 0);
  for (let i = 0; i < PER_SECOND; i++) t.ok(bucket.take(1, 0));
  t.notOk(bucket.take(1, 0));
  t.equal(bucket.waitMs(0), 1, 'more than nothing is enough');
  t.ok(bucket.take(1, 1));
  t.notOk(bucket.take(1, 1));
});

t.test('LIMIT-10: what is larger than the bucket is let in once, and paid for after', async (t) => {
  const bucket = new TokenBucket(PER_SECOND, 0);
  t.ok(bucket.take(5 * PER_SECOND, 0));
  t.notOk(bucket.take(1, 0));
  const waitMs = bucket.waitMs(0);
  t.equal(waitMs, 4001);
  t.notOk(bucket.take(1, waitMs - 2));
  t.ok(bucket.take(1, waitMs));
});

t.test('LIMIT-11: in no span of time more than its rate, a burst and one taking', async (t) => {
  const random = new SeededRandom(SEED);
  const bucket = new TokenBucket(PER_SECOND, 0);
  const takings: [atMs: number, count: number][] = [];
  let nowMs = 0;
  for (let i = 0; i < 5000; i++) {
    nowMs += random.below(60);
    const count = 1 + random.below(20);
    if (bucket.take(count, nowMs)) takings.push([nowMs, count]);
    else t.ok(bucket.waitMs(nowMs) > 0) || t.bailout('refused without a time');
  }
  let worst = 0;
  for (let first = 0; first < takings.length; first += 7) {
    let sum = 0;
    for (let i = first; i < Math.min(first + 300, takings.length); i++) {
      sum += takings[i][1];
      const spanMs = takings[i][0] - takings[first][0];
      worst = Math.max(worst, sum - (PER_SECOND * spanMs) / 1000);
    }
  }
  t.ok(takings.length > 1000);
  t.ok(worst <= PER_SECOND + 20, `at most ${worst} above the rate`);
});
