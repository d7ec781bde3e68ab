import { workerData } from 'node:worker_threads';
import { Doorbell } from '#lib/ring/doorbell.js';
import { NO_ROOM, RingProducer } from '#lib/ring/ring-producer.js';
import {
  bodyWord,
  bodyWordsOf,
  CONSUMER_BELL,
  kindOf,
  PRODUCER_BELL,
  type Stress,
} from './ring-stress.js';

const { ring, bells, records } = workerData as Stress;
const producer = new RingProducer(ring);
const bellWords = new Int32Array(bells);
const ownBell = new Doorbell(bellWords, PRODUCER_BELL);
const consumerBell = new Doorbell(bellWords, CONSUMER_BELL);

for (let record = 0; record < records; record++) {
  const bodyWords = bodyWordsOf(record);
  let index = producer.claim(kindOf(record), bodyWords);
  while (index === NO_ROOM) {
    publish();
    ownBell.sleep(() => producer.isDrained(), Number.POSITIVE_INFINITY);
    index = producer.claim(kindOf(record), bodyWords);
  }
  for (let i = 0; i < bodyWords; i++) producer.words[index + i] = bodyWord(record, i);
  if (record % 7 === 0) publish();
}
publish();

function publish(): void {
  producer.commit();
  consumerBell.ring();
}
