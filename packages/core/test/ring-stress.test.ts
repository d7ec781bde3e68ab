import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { Doorbell } from '#lib/ring/doorbell.js';
import { RingConsumer } from '#lib/ring/ring-consumer.js';
import { ringBufferBytes } from '#lib/ring/ring-layout.js';
import {
  bodyWord,
  bodyWordsOf,
  CONSUMER_BELL,
  kindOf,
  PRODUCER_BELL,
  type Stress,
} from './ring-stress.js';

const RECORDS = 1_000_000;

t.test(
  'RING-8: two threads pass a million records unharmed, none lost, none woken too late',
  async (t) => {
    const stress: Stress = {
      ring: new SharedArrayBuffer(ringBufferBytes(1024)),
      bells: new SharedArrayBuffer(256),
      records: RECORDS,
    };
    const consumer = new RingConsumer(stress.ring);
    const bellWords = new Int32Array(stress.bells);
    const ownBell = new Doorbell(bellWords, CONSUMER_BELL);
    const producerBell = new Doorbell(bellWords, PRODUCER_BELL);
    const worker = new Worker(new URL('./ring-stress-producer.js', import.meta.url), {
      workerData: stress,
      execArgv: ['--enable-source-maps'],
    });
    const ended = once(worker, 'exit');
    let harmed = 0;
    for (let record = 0; record < RECORDS; record++) {
      while (!consumer.next()) {
        producerBell.ring();
        await ownBell.sleepAsync(() => !consumer.isEmpty(), Number.POSITIVE_INFINITY);
      }
      if (!isWhole(consumer, record)) harmed++;
      consumer.release();
    }
    t.equal(harmed, 0, `${harmed} records harmed`);
    t.equal(consumer.isEmpty(), true);
    t.same(await ended, [0]);
  },
);

function isWhole(consumer: RingConsumer, record: number): boolean {
  if (consumer.kind !== kindOf(record)) return false;
  const bodyWords = bodyWordsOf(record);
  for (let i = 0; i < bodyWords; i++)
    if (consumer.words[consumer.index + i] !== bodyWord(record, i)) return false;
  return true;
}
