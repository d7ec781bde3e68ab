import t from 'tap';
import { numberAbove, numberBelow } from '#lib/query/neighbour-number.js';
import { randomFrom } from './store-fixture.js';

const SEED = Number(process.env['SEED'] ?? 1);

t.test('INDEX-4: the numbers beside 0, 1 and the largest ones', async (t) => {
  t.equal(numberAbove(0), Number.MIN_VALUE);
  t.equal(numberAbove(-0), Number.MIN_VALUE);
  t.equal(numberBelow(0), -Number.MIN_VALUE);
  t.equal(numberAbove(-Number.MIN_VALUE) === 0, true);
  t.equal(numberAbove(1), 1 + Number.EPSILON);
  t.equal(numberBelow(1), 1 - Number.EPSILON / 2);
  t.equal(numberBelow(-1), -1 - Number.EPSILON);
  t.equal(numberAbove(Number.MAX_VALUE), Number.POSITIVE_INFINITY);
  t.equal(numberBelow(Number.POSITIVE_INFINITY), Number.MAX_VALUE);
  t.equal(numberAbove(Number.NEGATIVE_INFINITY), -Number.MAX_VALUE);
});

t.test(`INDEX-4: no number lies between neighbours, seed ${SEED}`, async (t) => {
  const random = randomFrom(SEED);
  const words = new Uint32Array(2);
  const [numbers] = [new Float64Array(words.buffer)];
  let wrong = 0;
  for (let step = 0; step < 10_000; step++) {
    words[0] = random(2 ** 32);
    words[1] = random(2 ** 32);
    const [value] = numbers;
    if (!Number.isFinite(value)) continue;
    const above = numberAbove(value);
    const middle = value + (above - value) / 2;
    if (!(above > value) || (middle !== value && middle !== above)) wrong++;
    if (numberBelow(above) !== value) wrong++;
  }
  t.equal(wrong, 0);
});
