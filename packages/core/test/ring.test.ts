import t from 'tap';
import { RingConsumer } from '#lib/ring/ring-consumer.js';
import { DATA, recordWords, ringBufferBytes } from '#lib/ring/ring-layout.js';
import { NO_ROOM, RingProducer } from '#lib/ring/ring-producer.js';
import { ACTIONS, type Action, CAPACITY, RingModel } from './ring-model.js';
import { SEED, SeededRandom } from './seeded-random.js';

/** Aligned starts at the front, before the wrap, and where positions leave 31 and 32 bits. */
const STARTS = [0, CAPACITY - 2, 2 ** 31 - 6, 2 ** 32 - 2];
const FILLED_WORDS = [0, 20];
const DEPTH = 5;

/** Runs every sequence of DEPTH actions; returns the first that went wrong. */
function firstWrongSchedule(model: RingModel, start: number, filled: number): string | undefined {
  for (let schedule = 0; schedule < ACTIONS.length ** DEPTH; schedule++) {
    model.reset(start, filled);
    const done: Action[] = [];
    for (let rest = schedule, i = 0; i < DEPTH; rest = Math.floor(rest / ACTIONS.length), i++) {
      const action = ACTIONS[rest % ACTIONS.length];
      done.push(action);
      const trouble = model.step(action);
      if (trouble !== undefined) return `${done.join(' ')}: ${trouble}`;
    }
  }
  return undefined;
}

t.test('RING-1: every small schedule of both ends behaves as a queue', async (t) => {
  const model = new RingModel();
  for (const start of STARTS)
    for (const filled of FILLED_WORDS)
      t.equal(firstWrongSchedule(model, start, filled), undefined, `from ${start}, ${filled} full`);
});

t.test('RING-1: long random schedules behave as a queue', async (t) => {
  const random = new SeededRandom(SEED);
  const model = new RingModel();
  let wrong: string | undefined;
  for (let run = 0; run < 500 && wrong === undefined; run++) {
    model.reset(random.pick([...STARTS, 2 ** 32 - 500, 2 ** 31 - 500]), 0);
    const usual: Action[] = ['claim', 'claimEmpty', 'commit', 'next', 'release'];
    for (let i = 0; i < 400 && wrong === undefined; i++)
      wrong = model.step(random.chance(90) ? random.pick(usual) : random.pick(ACTIONS));
  }
  t.equal(wrong, undefined);
});

const ring = (words: number): SharedArrayBuffer =>
  new SharedArrayBuffer(ringBufferBytes(words * 4));

t.test('RING-2: nothing is seen before the commit, and all of it after', async (t) => {
  const buffer = ring(64);
  const producer = new RingProducer(buffer);
  const consumer = new RingConsumer(buffer);
  producer.claim(1, 2);
  producer.claim(2, 2);
  t.equal(consumer.next(), false);
  producer.commit();
  t.equal(consumer.next(), true);
  t.equal(consumer.next(), true);
  t.equal(consumer.kind, 2);
});

t.test('RING-3: a full ring refuses, and takes again once a record is released', async (t) => {
  const buffer = ring(64);
  const producer = new RingProducer(buffer);
  const consumer = new RingConsumer(buffer);
  let count = 0;
  while (producer.claim(1, 6) !== NO_ROOM) count++;
  t.equal(count, 8);
  producer.commit();
  consumer.next();
  t.equal(producer.claim(1, 6), NO_ROOM, 'read is not released');
  consumer.release();
  t.not(producer.claim(1, 6), NO_ROOM);
});

t.test('RING-4: control records have a reserve of their own', async (t) => {
  const producer = new RingProducer(ring(64), 8);
  while (producer.claim(1, 6) !== NO_ROOM);
  t.equal(producer.hasRoom(1), false);
  t.not(producer.claimControl(2, 6), NO_ROOM);
  t.equal(producer.claimControl(2, 6), NO_ROOM);
});

t.test('ADMIN-11: the reading end tells how full its ring is', async (t) => {
  const buffer = ring(64);
  const producer = new RingProducer(buffer);
  const consumer = new RingConsumer(buffer);
  producer.claim(1, 6);
  t.equal(consumer.occupancy(), 0, 'what is not committed does not count');
  producer.claim(2, 6);
  producer.commit();
  t.equal(consumer.occupancy(), 1 / 4);
  consumer.next();
  t.equal(consumer.occupancy(), 1 / 4, 'nor is what was read gone before it is released');
  consumer.release();
  t.equal(consumer.occupancy(), 1 / 8);
});

t.test('RING-5: a consumer that attaches meets again what was not released', async (t) => {
  const buffer = ring(64);
  const producer = new RingProducer(buffer);
  for (const kind of [1, 2, 3]) producer.claim(kind, 0);
  producer.commit();
  const dead = new RingConsumer(buffer);
  dead.next();
  dead.release();
  dead.next();
  const next = new RingConsumer(buffer);
  next.next();
  t.equal(next.kind, 2);
});

t.test('RING-6: no record is longer than an eighth of its ring', async (t) => {
  const producer = new RingProducer(ring(64));
  t.equal(producer.recordWordsMax, 8);
  t.throws(() => producer.claim(1, 7), { name: 'InvariantError' });
  t.throws(() => new RingProducer(ring(48)), { name: 'InvariantError' });
  t.equal(recordWords(5), 8);
});

t.test('RING-6: a record that nobody wrote is a broken invariant', async (t) => {
  const buffer = ring(64);
  const producer = new RingProducer(buffer);
  producer.claim(1, 2);
  producer.commit();
  producer.words[DATA] = 3;
  t.throws(() => new RingConsumer(buffer).next(), { name: 'InvariantError' });
});
