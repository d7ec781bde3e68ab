import { RING_BYTES } from '@tidewire/core';
import { RingConsumer, RingProducer, ringBufferBytes } from '@tidewire/core/threads';
import t from 'tap';
import { RingShares } from '#lib/front/ring-shares.js';

const WORDS: number = RING_BYTES / 4;
const HIGH: number = (3 / 4) * WORDS;
const KIND = 1;
const FLOOD_WORDS = 8000;
const SMALL_WORDS = 30;

/** A request ring as the gateway fills it and a worker empties it. */
class Ring {
  readonly buffer = new SharedArrayBuffer(ringBufferBytes(RING_BYTES));
  readonly producer = new RingProducer(this.buffer, WORDS / 8);
  readonly consumer = new RingConsumer(this.buffer);
  readonly shares = new RingShares(this.producer);

  /** What `route` does. */
  send(caller: number, words: number): boolean {
    if (!this.shares.admits(caller, words)) return false;
    return this.producer.claim(KIND, words) >= 0;
  }

  /** As many records as there is room for; returns the words let in. */
  flood(caller: number, words = FLOOD_WORDS): number {
    let sent = 0;
    while (this.send(caller, words)) sent += words;
    return sent;
  }

  /** The worker takes so many records. */
  take(count: number): number {
    this.producer.commit();
    let taken = 0;
    while (taken < count && this.consumer.next()) taken++;
    this.consumer.release();
    return taken;
  }

  get used(): number {
    return this.producer.used();
  }
}

t.test('LOAD-1: below the high mark a caller may claim all there is', async (t) => {
  const ring = new Ring();
  let sent = 0;
  while (ring.used + FLOOD_WORDS <= HIGH) sent += ring.send(1, FLOOD_WORDS) ? 1 : -1e9;
  t.equal(sent, Math.floor(HIGH / (FLOOD_WORDS + 2)));
});

t.test('LOAD-2: who floods cannot take the room of those who come then', async (t) => {
  const ring = new Ring();
  ring.flood(1, SMALL_WORDS); // small ones leave no gap
  t.ok(ring.used > HIGH, 'the flood is above the mark');
  let welcome = 0;
  for (let caller = 2; caller < 12; caller++) if (ring.send(caller, SMALL_WORDS)) welcome++;
  t.equal(welcome, 10);
});

t.test('LOAD-2: a caller with little to say is never refused beside floods', async (t) => {
  const ring = new Ring();
  let refused = 0;
  let floods = 0;
  for (let turn = 0; turn < 2000; turn++) {
    for (let flooder = 1; flooder <= 20; flooder++)
      floods += ring.flood(flooder, flooder === 1 ? FLOOD_WORDS : SMALL_WORDS);
    if (!ring.send(99, SMALL_WORDS)) refused++;
    ring.take(1 + 100 * (turn % 9));
  }
  t.equal(refused, 0);
  t.ok(floods > 10 * WORDS, 'the ring was filled many times');
});

t.test('LOAD-3: shares are given out again once the worker has taken what was there', async (t) => {
  const ring = new Ring();
  ring.flood(1);
  t.notOk(ring.send(1, FLOOD_WORDS));
  const before = ring.used;
  const count = ring.take(Number.POSITIVE_INFINITY);
  t.ok(count > 0 && ring.used === 0);
  t.ok(ring.flood(1) >= before - FLOOD_WORDS, 'as much again');
});

t.test('LOAD-3: the worker never runs dry for the sharing', async (t) => {
  const ring = new Ring();
  for (let turn = 0; turn < 500; turn++) {
    ring.flood(1);
    t.ok(ring.used > HIGH - FLOOD_WORDS - 2, 'the ring is filled to the mark') || t.bailout('dry');
    ring.take(3);
  }
});
