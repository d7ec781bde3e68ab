import { DRIFT_MS_MAX, HybridLogicalClock } from '@tidewire/core';
import {
  type EventFields,
  FrameReader,
  NO_RECORD,
  OPERATION_READ,
  Operation,
  type ResultFields,
  RingConsumer,
  RingProducer,
  ringBufferBytes,
  writeEvent,
  writeResult,
} from '@tidewire/core/threads';
import { compareWrite } from '@tidewire/partition-worker/conflict';
import { RecordStore } from '@tidewire/partition-worker/store';
import { EventKind } from '@tidewire/schemas';
import { drawRanks } from '../load/distribution.js';
import { operationTemplate } from '../load/operation-template.js';
import { SEED } from '../load/random.js';
import { PredicateMatching } from './predicate-matching.js';
import { STORE_FLAGS, StoreOperation } from './store-operation.js';

const BATCH = 1000;
const RING_BYTES: number = 1 << 20;
const ARENA_BYTES: number = 64 * 1024 * 1024;
const STORE_KEYS = 10_000;
const RECORD_WORDS = 16;

export interface MicroBenchmark {
  readonly name: string;
  /** Largest ratio to the yardstick that counts as no regression. */
  readonly bar: number;
  /** Runs a batch and returns how many operations it was. */
  batch(): number;
}

/** A fixed piece of arithmetic: 64 rounds of an integer hash, each needing the one before. */
export const YARDSTICK = (): MicroBenchmark => {
  let state = SEED;
  const batch = (): number => {
    for (let i = 0; i < 64 * BATCH; i++) {
      state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d);
      state ^= state >>> 12;
    }
    return BATCH;
  };
  return { name: `yardstick ${state}`, bar: 1, batch };
};

export const MICRO_BENCHMARKS: readonly (() => MicroBenchmark)[] = [
  ringHandOver,
  frameRead,
  resultWrite,
  eventWrite,
  storeOverwrite,
  storeFind,
  conflictRule,
  clockReceive,
  valueParse,
  () => predicateMatch(10, 4),
  () => predicateMatch(100, 5),
  () => predicateMatch(1000, 6),
  () => predicateMatch(10_000, 9),
  () => predicateMatch(100_000, 25),
  () => predicateParseAndMatch(10_000),
];

function ringHandOver(): MicroBenchmark {
  const buffer = new SharedArrayBuffer(ringBufferBytes(RING_BYTES));
  const producer = new RingProducer(buffer);
  const consumer = new RingConsumer(buffer);
  let sum = 0;
  const batch = (): number => {
    for (let record = 0; record < BATCH; record++) {
      const index = producer.claim(1, RECORD_WORDS);
      for (let word = 0; word < RECORD_WORDS; word++) producer.words[index + word] = record;
      producer.commit();
      consumer.next();
      sum = (sum + consumer.words[consumer.index]) | 0;
      consumer.release();
    }
    return BATCH;
  };
  return { name: 'ring: claim, commit, next, release', bar: 1.5, batch };
}

/** One put a frame: the whole of `open` and `nextOperation`. */
function frameRead(): MicroBenchmark {
  const shape = { isGet: false, valueBytes: 100, stamped: true, safe: false, predicates: 0 };
  const template = operationTemplate({ ...shape, operationsPerFrame: 1 });
  const body = Uint8Array.from(template.bytes.subarray(template.clockAt - 1));
  const reader = new FrameReader();
  let keys = 0;
  const batch = (): number => {
    for (let i = 0; i < BATCH; i++) {
      reader.open(body);
      while (reader.nextOperation() === OPERATION_READ) keys += reader.keyLength;
    }
    if (keys === 0) throw new Error('the frame was not read');
    return BATCH;
  };
  return { name: 'frame reader: a put', bar: 2, batch };
}

function resultWrite(): MicroBenchmark {
  const { store, record, target, wordBytes } = storeWithRecord();
  const fields: ResultFields = {
    requestId: 0,
    outcome: 1,
    refusal: 0,
    level: 1,
    partition: 45,
    record,
    withValue: false,
    detail: new Uint8Array(0),
    retryAfterMs: 0,
  };
  const batch = (): number => {
    for (let i = 0; i < BATCH; i++) {
      fields.requestId = i;
      writeResult(target, 0, fields, store.words, wordBytes);
    }
    return BATCH;
  };
  return { name: 'frame writer: a result', bar: 1, batch };
}

function eventWrite(): MicroBenchmark {
  const { store, record, target, wordBytes } = storeWithRecord();
  const event: EventFields = { kind: EventKind.PUT, record, old: NO_RECORD };
  const batch = (): number => {
    for (let i = 0; i < BATCH; i++) writeEvent(target, 0, event, store.words, wordBytes);
    return BATCH;
  };
  return { name: 'frame writer: an event', bar: 5, batch };
}

function storeOverwrite(): MicroBenchmark {
  const store = filledStore();
  const operation = new StoreOperation();
  const keys = drawRanks('uniform', STORE_KEYS, SEED, BATCH);
  const batch = (): number => {
    for (let i = 0; i < BATCH; i++) operation.write(store, keys[i]);
    return BATCH;
  };
  return { name: `store: overwrite, ${STORE_KEYS} keys`, bar: 4.5, batch };
}

function storeFind(): MicroBenchmark {
  const store = filledStore();
  const operation = new StoreOperation();
  const keys = drawRanks('uniform', STORE_KEYS, SEED, BATCH);
  const batch = (): number => {
    let found = 0;
    for (let i = 0; i < BATCH; i++) {
      if (operation.find(store, keys[i]) !== 0) found++;
    }
    if (found !== BATCH) throw new Error('a key is missing');
    return BATCH;
  };
  return { name: `store: find, ${STORE_KEYS} keys`, bar: 2, batch };
}

function conflictRule(): MicroBenchmark {
  const { store, record } = storeWithRecord();
  const operation = new StoreOperation();
  let newer = 0;
  const batch = (): number => {
    for (let i = 0; i < BATCH; i++) {
      operation.words[Operation.MS_LOW] = i;
      if (compareWrite(operation.words, operation.at, STORE_FLAGS, store.words, record) > 0)
        newer++;
    }
    if (newer === 0) throw new Error('no write was newer');
    return BATCH;
  };
  return { name: 'conflict rule', bar: 0.15, batch };
}

function clockReceive(): MicroBenchmark {
  let now = 1_000_000;
  const clock = new HybridLogicalClock({ now: () => now, driftMs: DRIFT_MS_MAX });
  const batch = (): number => {
    now++;
    for (let i = 0; i < BATCH / 2; i++) {
      clock.receive(now, i);
      clock.tick();
    }
    return BATCH;
  };
  return { name: 'clock: receive and tick', bar: 0.06, batch };
}

/** Both values of a change, 100 bytes each. */
function valueParse(): MicroBenchmark {
  const { texts } = new PredicateMatching(1, BATCH);
  let parsed = 0;
  const batch = (): number => {
    for (const [before, after] of texts) if (JSON.parse(before) !== JSON.parse(after)) parsed++;
    if (parsed === 0) throw new Error('nothing was parsed');
    return BATCH;
  };
  return { name: 'JSON.parse: both values of a change', bar: 14, batch };
}

function predicateMatch(predicates: number, bar: number): MicroBenchmark {
  const matching = new PredicateMatching(predicates, BATCH);
  const batch = (): number => {
    let concerned = 0;
    for (let change = 0; change < BATCH; change++) concerned += matching.match(change);
    if (concerned < 2 * BATCH) throw new Error('a change concerned too few');
    return BATCH;
  };
  return { name: `predicates: a change among ${predicates}`, bar, batch };
}

function predicateParseAndMatch(predicates: number): MicroBenchmark {
  const matching = new PredicateMatching(predicates, BATCH);
  const batch = (): number => {
    let concerned = 0;
    for (let change = 0; change < BATCH; change++) concerned += matching.parseAndMatch(change);
    if (concerned !== 4 * BATCH) throw new Error('a change concerned others');
    return BATCH;
  };
  return { name: `predicates: the same, parsed, ${predicates}`, bar: 25, batch };
}

function storeWithRecord(): {
  store: RecordStore;
  record: number;
  target: Uint8Array;
  wordBytes: Uint8Array;
} {
  const store = new RecordStore(new SharedArrayBuffer(ARENA_BYTES));
  const record = new StoreOperation().write(store, 1);
  const target = new Uint8Array(new SharedArrayBuffer(1024));
  return { store, record, target, wordBytes: new Uint8Array(store.words.buffer) };
}

function filledStore(): RecordStore {
  const store = new RecordStore(new SharedArrayBuffer(ARENA_BYTES));
  const operation = new StoreOperation();
  for (let key = 0; key < STORE_KEYS; key++) operation.write(store, key);
  return store;
}
