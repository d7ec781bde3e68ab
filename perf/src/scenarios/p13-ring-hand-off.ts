import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';
import { RING_BYTES } from '@tidewire/core';
import { Doorbell, NO_ROOM, RingProducer, ringBufferBytes } from '@tidewire/core/threads';
import type { Bench, Sample, Scenario } from '../measure/scenario.js';
import type { Side } from '../measure/statistics.js';
import { COUNT, DOORBELL, type HandOff, LIMIT, SUM } from './ring-consumer-worker.js';

const ENTRY: URL = new URL('./ring-consumer-worker.js', import.meta.url);
const RECORD_WORDS = 16;
const RECORDS: Readonly<Record<Side, number>> = { ours: 3_000_000, theirs: 300_000 };
/** postMessage has no bound of its own; a ring of 4 MiB holds about as many. */
const MESSAGES_AHEAD = 65_536;

/** Two threads, 64-byte records one by one; what arrives is counted and summed up. */
export const ringHandOff: Scenario = {
  id: 'P13',
  title: 'ring hand-off of 64-byte records, one publish a record ÷ postMessage one by one',
  unit: 'records/s',
  bar: 6,
  goal: 12,
  better: 'higher',
  open: async () => new HandOffBench(),
};

class HandOffBench implements Bench {
  async measure(side: Side): Promise<Sample> {
    const ring = new SharedArrayBuffer(ringBufferBytes(RING_BYTES));
    const shared = new SharedArrayBuffer(256);
    const state = new Int32Array(shared);
    const records = RECORDS[side];
    state[LIMIT] = records;
    const workerData: HandOff = { ring: side === 'ours' ? ring : undefined, shared };
    const consumer = new Worker(ENTRY, { workerData, execArgv: [] });
    await once(consumer, 'message');
    const startedAt = performance.now();
    const sum =
      side === 'ours' ? sendByRing(ring, state, records) : sendByMessage(consumer, state, records);
    awaitCount(state, records);
    const seconds = (performance.now() - startedAt) / 1000;
    await once(consumer, 'exit');
    const isWhole = Atomics.load(state, SUM) === sum;
    return {
      value: records / seconds,
      notes: [`${records} records, sums equal: ${isWhole}`],
      faults: isWhole ? [] : [`${side}: the consumer's sum differs from the producer's`],
    };
  }

  async close(): Promise<void> {}
}

function sendByRing(ring: SharedArrayBuffer, state: Int32Array, records: number): number {
  const producer = new RingProducer(ring);
  const doorbell = new Doorbell(state, DOORBELL);
  let sum = 0;
  for (let record = 0; record < records; record++) {
    let index = producer.claim(1, RECORD_WORDS);
    while (index === NO_ROOM) index = producer.claim(1, RECORD_WORDS);
    for (let word = 0; word < RECORD_WORDS; word++) producer.words[index + word] = record + word;
    producer.commit();
    doorbell.ring();
    sum = (sum + record) | 0;
  }
  return sum;
}

function sendByMessage(consumer: Worker, state: Int32Array, records: number): number {
  let sum = 0;
  for (let record = 0; record < records; record++) {
    const words = new Int32Array(RECORD_WORDS);
    for (let word = 0; word < RECORD_WORDS; word++) words[word] = record + word;
    consumer.postMessage(words);
    sum = (sum + record) | 0;
    if (record >= MESSAGES_AHEAD) awaitCount(state, record - MESSAGES_AHEAD);
  }
  return sum;
}

/** Waits for the consumer as a producer without room does. */
function awaitCount(state: Int32Array, count: number): void {
  for (;;) {
    const seen = Atomics.load(state, COUNT);
    if (seen >= count) return;
    Atomics.wait(state, COUNT, seen, 1);
  }
}
