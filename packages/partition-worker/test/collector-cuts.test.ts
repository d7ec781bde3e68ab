import { fromBinary } from '@bufbuild/protobuf';
import { Code, hashOf, partitionOf, TOMBSTONE_HORIZON_MS } from '@tidewire/core';
import {
  type CollectionMark,
  OPERATION_CLIENT_STAMP,
  RecordLayout,
  readCollectionMarks,
  storeWatermark,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import { OperationKind, ResultsSchema } from '@tidewire/schemas';
import t from 'tap';
import { ABSENT, RecordStore } from '#lib/store/record-store.js';
import { buildCut } from './cut/cut-build.js';
import { cutAt, diesIn, revive, stepsTaken } from './cut/cut-steps.js';
import { checkStore } from './store-check.js';
import {
  doorbells,
  FakeGateway,
  MAP_ID,
  putBytes,
  Snapshot,
  START_MS,
  smallMemory,
} from './worker-fixture.js';

const url = buildCut('collector-cuts')('worker/worker.js');
const { Worker } = (await import(url)) as typeof import('#lib/worker.js');

/** Every n-th first cut is followed by a second one, in the worker that attaches. */
const SECOND_CUT_EVERY = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 5 : 1;
const KEYS = ['a', 'b', 'c', 'd'];
const REMOVED_AT = 10;

/** So small that tombstones are collected early: a worker that has just started does it too. */
const memory = smallMemory();
const control = new Int32Array(memory.control);
const bells = doorbells();
/** What the database knows to be collected. */
let committed: CollectionMark[] = [];

function start(count: number): InstanceType<typeof Worker> {
  return new Worker(memory, bells, count);
}

function work(worker: InstanceType<typeof Worker>): void {
  for (let idle = 0; idle < 2; ) idle = worker.doWork() === 0 ? idle + 1 : 0;
}

function commit(): void {
  const proposed = control[WorkerControl.GC_PROPOSED];
  if (proposed === control[WorkerControl.GC_COMMITTED]) return;
  committed.push(...readCollectionMarks(control));
  storeWord(control, WorkerControl.GC_COMMITTED, proposed);
}

function isForgotten(store: RecordStore, key: string): boolean {
  const bytes = Buffer.from(key);
  const words = new Int32Array(RecordLayout.wordsOf(bytes.length));
  putBytes(words, 0, bytes);
  const hash = hashOf(bytes);
  return store.find(partitionOf(hash), MAP_ID, hash, words, 0, bytes.length) === ABSENT;
}

/** Whatever memory has forgotten the database knows, and memory itself. */
function check(): void {
  const store = new RecordStore(memory.arena);
  checkStore(store);
  for (const key of KEYS.filter((each) => isForgotten(store, each))) {
    const partition = partitionOf(hashOf(Buffer.from(key)));
    const isKnown = committed.some(
      (mark) => mark.partition === partition && mark.ms >= START_MS + REMOVED_AT,
    );
    if (!isKnown) throw new Error(`${key} was forgotten before the database knew`);
    if (!store.isCollected(partition, START_MS + REMOVED_AT, 0, 1))
      throw new Error(`${key} was forgotten and would come back`);
  }
}

t.test('LIFE-16: a worker that dies at any store forgets nothing that could come back', (t) => {
  const setup = new FakeGateway(memory);
  setup.introduce(1, []);
  for (const key of KEYS) {
    setup.send(1, { kind: OperationKind.PUT, key, value: '1', ms: 5 });
    setup.send(2, { kind: OperationKind.REMOVE, key, ms: REMOVED_AT });
  }
  revive();
  work(start(1));
  setup.listen();
  const store = new RecordStore(memory.arena);
  for (let partition = 0; partition < 271; partition++)
    storeWatermark(control, WorkerControl.flushedIndex(partition), store.sequence(partition));
  const snapshot = new Snapshot(memory);

  /** Up to two deaths, then two workers in which the database answers. */
  const play = (cuts: readonly number[]): FakeGateway => {
    snapshot.restore();
    committed = [];
    const gateway = new FakeGateway(memory, setup.answered);
    for (let run = 0; run < cuts.length + 2; run++) {
      gateway.introduce(run + 2, []);
      gateway.tick(TOMBSTONE_HORIZON_MS);
      if (run < cuts.length) {
        cutAt(cuts[run]);
        diesIn(() => {
          const worker = start(run + 2);
          work(worker);
          commit();
          work(worker);
        });
        revive();
      } else work(start(run + 2));
      gateway.listen();
      check();
      commit();
    }
    return gateway;
  };

  revive();
  play([]);
  const whole = new RecordStore(memory.arena);
  t.ok(KEYS.every((key) => isForgotten(whole, key)));
  play([Number.MAX_SAFE_INTEGER]); // a worker that lives through it all
  snapshot.restore();
  committed = [];
  const probe = new FakeGateway(memory, setup.answered);
  probe.introduce(2, []);
  probe.tick(TOMBSTONE_HORIZON_MS);
  revive();
  const worker = start(2);
  work(worker);
  commit();
  work(worker);
  const steps = stepsTaken();
  t.ok(
    KEYS.every((key) => isForgotten(new RecordStore(memory.arena), key)),
    'in one life too',
  );
  for (let step = 0; step < steps; step++) {
    const cuts = step % SECOND_CUT_EVERY === 0 ? [step, (step * 31) % steps] : [step];
    const gateway = play(cuts);
    gateway.introduce(cuts.length + 4, []);
    for (const key of KEYS)
      gateway.send(9, {
        kind: OperationKind.PUT,
        key,
        value: '2',
        ms: REMOVED_AT - 1,
        flags: OPERATION_CLIENT_STAMP,
      });
    gateway.heard.length = 0;
    work(start(cuts.length + 4));
    gateway.listen();
    for (const heard of gateway.heard) {
      const { results } = fromBinary(ResultsSchema, Buffer.from(heard.split(' ')[2], 'hex'));
      if (results[0].refusal !== Code.TOO_OLD)
        throw new Error(`cut at ${cuts.join(' and ')}: ${Code[results[0].outcome]}`);
    }
    if (gateway.heard.length !== KEYS.length) throw new Error('an answer is missing');
  }
  t.comment(`${steps} cuts`);
  t.end();
});
