import {
  BACKOFF_MAX_MS,
  BASES_INTERVAL_MS,
  BATCH_RECORDS_MAX,
  COLLECTION_RETRY_MS,
  FLUSH_INTERVAL_MS,
  FLUSH_RECORDS,
  FORGET_ROWS_MAX,
  PARTITIONS,
  PROBE_INTERVAL_MS,
} from '@tidewire/core';
import {
  allocateSharedMemory,
  type CollectionMark,
  loadWord,
  MapTable,
  type SharedMemory,
  storeWord,
  WorkerControl,
  writeCollectionMarks,
} from '@tidewire/core/threads';
import t from 'tap';
import { HALVINGS_MAX } from '#lib/flush-window.js';
import { PersistenceEngine } from '#lib/persistence-engine.js';
import type { PersistenceStatus } from '#lib/status.js';
import { type PartitionNumber, StoreError } from '#lib/store.js';
import { FakeStore, turnOfEventLoop } from './support/fake-store.js';
import { FakeWorker } from './support/fake-worker.js';
import { KEYS, record, removal, sorted, VALUES } from './support/records.js';

const OUTAGE = new StoreError('UNAVAILABLE', 'The database is away.');

/** An engine with its workers, mostly one, stepped by hand. */
class Scene {
  readonly memory: SharedMemory;
  readonly store = new FakeStore();
  readonly reports: PersistenceStatus[] = [];
  readonly workers: readonly FakeWorker[];
  readonly engine: PersistenceEngine;
  nowMs = 0;

  constructor(workers = 1) {
    this.memory = allocateSharedMemory({ workers, arenaBytes: 64 });
    const maps = new MapTable(this.memory.mapTable);
    this.workers = this.memory.workers.map((memory) => new FakeWorker(memory, maps));
    this.engine = new PersistenceEngine({
      memory: this.memory,
      store: this.store,
      now: () => this.nowMs,
      random: () => 0,
      report: (status) => this.reports.push(status),
      isDown: false,
      onSettled: () => {},
      backgroundFlushes: 1,
    });
  }

  /** The first one. */
  get worker(): FakeWorker {
    return this.workers[0];
  }

  /** Past the first pull, which every engine makes: nothing is dirty, nothing under way. */
  static async idle(): Promise<Scene> {
    const scene = new Scene();
    await scene.flushAll();
    scene.store.calls.length = 0;
    return scene;
  }

  /** Turns of engine and worker until neither has anything to do. */
  step(): void {
    while (this.workers.reduce((work, worker) => work + worker.answer(), this.engine.doWork()) > 0);
  }

  async flushAll(): Promise<void> {
    this.step();
    await this.store.last.settle();
    this.step();
  }

  /** The worker asks to have something collected. */
  propose(marks: readonly CollectionMark[]): void {
    const { control } = this.worker;
    writeCollectionMarks(control, marks);
    storeWord(control, WorkerControl.GC_PROPOSED, loadWord(control, WorkerControl.GC_PROPOSED) + 1);
  }

  get kinds(): string[] {
    return this.reports.map(({ kind }) => kind);
  }
}

t.test('WB-10: changes are flushed an interval after the first of them', async (t) => {
  const scene = await Scene.idle();
  scene.worker.change(record('a'));
  scene.step();
  scene.nowMs = FLUSH_INTERVAL_MS - 1;
  scene.worker.change(record('b'));
  scene.step();
  t.equal(scene.store.calls.length, 0);
  t.equal(scene.engine.dueInMs(), 1);
  scene.nowMs = FLUSH_INTERVAL_MS;
  scene.step();
  t.same(
    scene.store.last.records.map(({ key }) => key),
    ['a', 'b'],
  );
});

t.test('WB-11: as many changes as a flush should have are flushed at once', async (t) => {
  const scene = await Scene.idle();
  for (let i = 1; i < FLUSH_RECORDS; i++) scene.worker.change(record(`k${i}`));
  scene.step();
  t.equal(scene.store.calls.length, 0);
  t.notOk(scene.engine.hasWork());
  scene.worker.change(record('last'));
  t.ok(scene.engine.hasWork());
  scene.step();
  t.equal(scene.store.last.records.length, FLUSH_RECORDS);
});

t.test('WB-12: a SAFE write is flushed at once, and answered for after the commit', async (t) => {
  const scene = await Scene.idle();
  scene.worker.change(record('a'), true);
  t.ok(scene.engine.hasWork());
  scene.step();
  t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), 0);
  await scene.store.last.settle();
  t.ok(scene.engine.hasWork());
  scene.step();
  t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), 1);
});

t.test('WB-13: a watermark moves at the commit, to what its batch held', async (t) => {
  const scene = await Scene.idle();
  const { partition } = scene.worker.change(record('a'));
  scene.nowMs = FLUSH_INTERVAL_MS;
  scene.step();
  scene.nowMs *= 2;
  scene.step();
  const late = scene.worker.change(record('a', { ms: 9 }));
  scene.step();
  t.equal(scene.worker.flushed(partition), 0);
  t.equal(scene.store.calls.length, 1, 'one flush at a time for which nobody waits');
  await scene.store.calls[0].settle();
  scene.step();
  t.equal(scene.worker.flushed(partition), 1);
  scene.nowMs += FLUSH_INTERVAL_MS;
  scene.step();
  t.same(scene.store.last.records, [{ ...late, value: Buffer.from(late.value) }]);
  await scene.flushAll();
  t.equal(scene.worker.flushed(partition), 2);
  t.ok(scene.engine.isClean);
});

t.test('WB-60: a SAFE write is handed over unasked, by the pull that stands', async (t) => {
  const scene = await Scene.idle();
  t.notOk(scene.worker.isAsked, 'it stands, and asks for nothing yet');
  scene.worker.change(record('a'));
  t.notOk(scene.worker.isAsked, 'nor for a FAST write');
  scene.worker.change(record('b'), true);
  t.ok(scene.worker.isAsked);
  scene.step();
  t.same(
    scene.store.last.records.map(({ key }) => key),
    ['a', 'b'],
  );
});

t.test('WB-61: while a batch is on its way a second one follows, for SAFE writes', async (t) => {
  const scene = await Scene.idle();
  for (let i = 0; i < 8; i++) scene.worker.change(record(`a${i}`), true);
  scene.step();
  for (let i = 0; i < 3; i++) scene.worker.change(record(`b${i}`), true);
  scene.step();
  t.equal(scene.store.calls.length, 1, 'not for fewer than half of the first');
  scene.worker.change(record('b3'), true);
  scene.step();
  t.equal(scene.store.calls.length, 2);
  for (let i = 0; i < 8; i++) scene.worker.change(record(`c${i}`), true);
  scene.step();
  t.equal(scene.store.calls.length, 2, 'and no third');
  await scene.store.calls[0].settle();
  scene.step();
  t.equal(scene.store.calls.length, 3);
});

t.test('WB-62: the second of two batches counts only once the first has', async (t) => {
  const scene = await Scene.idle();
  const { partition } = scene.worker.change(record('a'), true);
  scene.step();
  scene.worker.change(record('a', { ms: 9 }), true);
  scene.step();
  const [first, second] = scene.store.calls;
  await second.settle();
  scene.step();
  t.equal(scene.worker.flushed(partition), 0);
  t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), 0);
  await first.settle();
  scene.step();
  t.equal(scene.worker.flushed(partition), 2);
  t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), 2);
  t.ok(scene.engine.isClean);
});

t.test('WB-63: with the first of two batches the second is abandoned', async (t) => {
  const scene = await Scene.idle();
  for (const key of ['a', 'b']) {
    scene.worker.change(record(key), true);
    scene.step();
  }
  const [first, second] = scene.store.calls;
  const { attempt } = scene.worker;
  await first.settle(OUTAGE);
  scene.step();
  t.equal(scene.worker.word(WorkerControl.ATTEMPT), attempt + 1);
  scene.nowMs += BACKOFF_MAX_MS;
  scene.step();
  t.equal(scene.store.calls.length, 2, 'nothing new while it is still on its way');
  await second.settle();
  scene.step();
  t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), 0, 'its commit counts for nothing');
  t.same(
    scene.store.last.records.map(({ key }) => key),
    ['a', 'b'],
    'both again',
  );
  scene.worker.change(record('c'), true);
  scene.step();
  t.equal(scene.store.calls.length, 3, 'after a failure one at a time');
  await scene.flushAll();
  await scene.flushAll();
  t.ok(scene.engine.isClean);
  t.same(scene.kinds, ['down', 'up']);
});

t.test('WB-64: flushes for which nobody waits are few at once, and take turns', async (t) => {
  const scene = new Scene(3);
  await scene.flushAll();
  while (!scene.engine.isClean) await scene.flushAll();
  scene.store.calls.length = 0;
  const [first, second, third] = scene.workers;
  first.change(record('a'));
  second.change(record('b'));
  third.change(record('c'));
  scene.step();
  scene.nowMs = FLUSH_INTERVAL_MS;
  scene.step();
  t.equal(scene.store.calls.length, 1);
  t.notOk(scene.engine.hasWork(), 'the others wait without asking again and again');
  t.ok(scene.engine.dueInMs() > 0);
  first.change(record('a', { ms: 9 }));
  third.change(record('d'), true);
  scene.step();
  t.equal(scene.store.calls.length, 2, 'a SAFE write waits for no turn');
  await scene.store.calls[0].settle();
  scene.nowMs *= 3;
  scene.step();
  const keys = scene.store.calls.map(({ records }) => records.map(({ key }) => key).join());
  t.same(keys, ['a', 'c,d', 'b'], 'who waited longest comes first');
  for (const call of scene.store.calls) await call.settle();
  scene.step();
  scene.nowMs += FLUSH_INTERVAL_MS;
  await scene.flushAll();
  t.ok(scene.engine.isClean);
});

t.test('WB-64: a worker that does not answer keeps no other waiting', async (t) => {
  const scene = new Scene(2);
  await scene.flushAll();
  while (!scene.engine.isClean) await scene.flushAll();
  scene.store.calls.length = 0;
  const [hung, other] = scene.workers;
  hung.change(record('a'));
  other.change(record('b'));
  scene.engine.doWork();
  scene.nowMs = FLUSH_INTERVAL_MS;
  const turns = (): void => {
    while (scene.engine.doWork() + other.answer() > 0);
  };
  turns();
  t.equal(scene.store.calls.length, 0);
  scene.nowMs += scene.engine.dueInMs();
  turns();
  t.same(
    scene.store.last.records.map(({ key }) => key),
    ['b'],
  );
});

t.test('WB-14: after a failure everything unflushed is handed over again', async (t) => {
  const scene = await Scene.idle();
  const { partition } = scene.worker.change(record('a'), true);
  scene.step();
  const { attempt } = scene.worker;
  for (let failures = 1; failures <= 3; failures++) {
    await scene.store.last.settle(OUTAGE);
    scene.step();
    t.equal(scene.store.calls.length, failures, 'not before the pause is over');
    t.equal(scene.worker.flushed(partition), 0);
    scene.worker.change(record(`b${failures}`));
    scene.nowMs += 60_000;
    scene.step();
    t.equal(scene.store.last.records.length, failures + 1);
  }
  t.equal(scene.worker.attempt, attempt + 3);
  t.same(scene.kinds, ['down']);
  await scene.flushAll();
  t.same(scene.kinds, ['down', 'up']);
  t.equal(scene.worker.flushed(partition), 1);
  t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), 1);
  t.ok(scene.engine.isClean);
});

t.test('WB-15: the end of another pull or attempt completes nothing', async (t) => {
  for (const stale of [{ attempt: -7 }, { pull: -7 }]) {
    const scene = await Scene.idle();
    const { partition } = scene.worker.change(record('a'), true);
    scene.engine.doWork();
    const { attempt } = scene.worker;
    scene.worker.answer(stale);
    scene.engine.doWork();
    t.equal(scene.store.calls.length, 0);
    t.equal(scene.worker.flushed(partition), 0);
    if ('pull' in stale) continue; // the end of its own pull is still to come
    await scene.flushAll();
    t.equal(scene.worker.attempt, attempt + 1);
    t.equal(scene.worker.flushed(partition), 1);
  }
});

t.test('WB-16: an answer that a dying worker began is taken once, newest first', async (t) => {
  const scene = await Scene.idle();
  scene.worker.change(record('a', { ms: 1 }), true);
  scene.worker.change(record('b', { ms: 1 }));
  scene.engine.doWork();
  scene.worker.handOver(2);
  scene.worker.dieAndReturn();
  scene.worker.change(record('a', { ms: 2 }));
  scene.step();
  t.same(
    scene.store.last.records.map(({ key, ms }) => [key, ms]),
    [
      ['a', 2],
      ['b', 1],
    ],
  );
});

t.test('WB-28: after an end that completes nothing the worker hands over again', async (t) => {
  const scene = await Scene.idle();
  scene.worker.change(record('a'), true);
  const { attempt } = scene.worker;
  scene.worker.answer();
  scene.worker.dieAndReturn();
  scene.worker.control[WorkerControl.PULL_SERVED]--; // the pull was not signed off before the death
  scene.worker.change(record('b'), true);
  scene.worker.answer();
  scene.engine.doWork();
  await scene.flushAll();
  t.equal(scene.worker.attempt, attempt + 1);
  t.same(
    scene.store.last.records.map(({ key }) => key),
    ['a', 'b'],
    'what the ignored end had handed over too',
  );
  await scene.flushAll();
  t.ok(scene.engine.isClean);
});

t.test('WB-17: under backlog batches are long and follow each other at once', async (t) => {
  const scene = await Scene.idle();
  for (let i = 0; i < BATCH_RECORDS_MAX + 10; i++) scene.worker.change(record(`k${i}`));
  scene.step();
  t.equal(scene.store.last.records.length, BATCH_RECORDS_MAX);
  await scene.store.last.settle();
  scene.step();
  t.equal(scene.store.calls.length, 2);
  await scene.flushAll();
  t.ok(scene.engine.isClean);
});

t.test('WB-18: a record that the store refuses is buried, and holds nothing up', async (t) => {
  const scene = await Scene.idle();
  scene.store.rejected = new Set(['k3', 'k7']);
  for (let i = 0; i < 10; i++) scene.worker.change(record(`k${i}`));
  scene.nowMs = FLUSH_INTERVAL_MS;
  scene.step();
  scene.nowMs *= 2;
  scene.step();
  const flushed: string[] = [];
  while (scene.store.buried.length < 2 || flushed.length < 8) {
    await turnOfEventLoop();
    for (const call of scene.store.calls.splice(0)) {
      flushed.push(...call.records.map(({ key }) => key));
      await call.settle();
    }
  }
  scene.step();
  t.same(flushed, ['k0', 'k1', 'k2', 'k4', 'k5', 'k6', 'k8', 'k9']);
  t.same(
    scene.store.buried.map(({ key }) => key),
    ['k3', 'k7'],
  );
  t.same(
    scene.reports,
    ['k3', 'k7'].map((key) => ({ kind: 'buried', map: 'users', key, code: '22012' })),
    'and what the store says of it stays with the record',
  );
  t.ok(scene.engine.isClean);
});

t.test('WB-57: how far SAFE writes are flushed never falls, across its wrap too', async (t) => {
  for (const start of [5, 2 ** 31 - 2, -2]) {
    const scene = new Scene();
    storeWord(scene.worker.control, WorkerControl.LANE_TAIL, start);
    await scene.flushAll();
    for (let i = 0; i < 3; i++) scene.worker.change(record(`k${i}`), true);
    await scene.flushAll();
    t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), (start + 3) | 0);
    scene.worker.change(record('late'), true);
    scene.engine.doWork();
    scene.worker.answer({ lane: (start + 1) | 0 });
    await scene.flushAll();
    t.equal(scene.worker.word(WorkerControl.LANE_FLUSHED), (start + 3) | 0, `from ${start}`);
  }
});

t.test('WB-58: an outage after some were buried does not tell of them again', async (t) => {
  const scene = await Scene.idle();
  const outages = [OUTAGE];
  scene.store.rejected = new Set(['k0', 'k1']);
  for (let i = 0; i < 4; i++) scene.worker.change(record(`k${i}`));
  for (let attempts = 0; !scene.engine.isClean && attempts < 100; attempts++) {
    scene.nowMs += BACKOFF_MAX_MS;
    scene.step();
    for (let halves = 0; halves < 4; halves++) {
      await turnOfEventLoop();
      for (const call of scene.store.calls.splice(0)) await call.settle(outages.pop());
    }
    scene.step();
  }
  t.ok(scene.engine.isClean);
  t.ok(scene.store.buried.length > 2, 'they were buried again, which is harmless');
  t.same(
    scene.kinds.filter((kind) => kind === 'buried'),
    ['buried', 'buried'],
  );
});

t.test('WB-59: damaged rows hold up their worker for some attempts only', async (t) => {
  const scene = await Scene.idle();
  scene.store.damaged = new Set(['k5', 'k7']);
  for (let i = 0; i < 10; i++) scene.worker.change(record(`k${i}`));
  for (let attempts = 0; !scene.engine.isClean && attempts < 100; attempts++) {
    scene.nowMs += BACKOFF_MAX_MS;
    scene.step();
    for (let halves = 0; halves < 10; halves++) {
      await turnOfEventLoop();
      for (const call of scene.store.calls.splice(0)) await call.settle();
    }
    scene.step();
  }
  t.ok(scene.engine.isClean);
  t.same([...new Set(scene.store.buried.map(({ key }) => key))], ['k5', 'k7']);
  t.same(scene.kinds, ['down', 'buried', 'buried', 'up']);
});

t.test('WB-19: an idle engine is woken by the first change, a busy one by none', async (t) => {
  const scene = await Scene.idle();
  const { worker } = scene;
  const distance = (): number =>
    (worker.word(WorkerControl.WAKE_AT_CHANGES) - worker.word(WorkerControl.CHANGES)) | 0;
  t.equal(distance(), 1);
  worker.change(record('a'));
  scene.step();
  t.equal(distance(), FLUSH_RECORDS - 1, 'the interval runs: only many changes wake it');
  scene.nowMs = FLUSH_INTERVAL_MS;
  scene.step();
  t.ok(distance() > 1_000_000);
  await scene.flushAll();
  t.equal(distance(), 1);
});

t.test('WB-20: draining flushes at once, and counts what it cannot flush', async (t) => {
  const scene = await Scene.idle();
  scene.worker.change(record('a'));
  scene.worker.change(removal('b'));
  t.equal(scene.engine.unflushed, 2);
  t.notOk(scene.engine.isClean);
  scene.engine.drain();
  scene.step();
  await scene.store.last.settle(OUTAGE);
  scene.step();
  t.equal(scene.engine.unflushed, 2);
  scene.nowMs = 60_000;
  await scene.flushAll();
  t.equal(scene.engine.unflushed, 0);
  t.ok(scene.engine.isClean);
});

t.test('WB-21: every value and key leaves the shared memory bit for bit', async (t) => {
  const scene = await Scene.idle();
  const records = sorted([
    ...Object.entries(VALUES).map(([key, value]) => scene.worker.change(record(key, { value }))),
    ...KEYS.map((key) => scene.worker.change(record(key, { map: key.slice(0, 20), kind: 2 }))),
    scene.worker.change(
      record('most', {
        ms: 2 ** 47 - 1,
        counter: 0xffff,
        node: 0xffffff,
        expiresAt: 2 ** 48 - 1,
      }),
    ),
    scene.worker.change(removal('gone', { ms: 2 ** 32, counter: 0x8000, node: 0x800000 })),
  ]);
  scene.nowMs = FLUSH_INTERVAL_MS;
  scene.step();
  scene.nowMs *= 2;
  scene.step();
  const expected = records.map((each) => ({ ...each, value: Buffer.from(each.value) }));
  t.same(scene.store.last.records, expected);
});

t.test('WB-22: a new engine takes over what an earlier one had under way', async (t) => {
  const scene = await Scene.idle();
  const { partition } = scene.worker.change(record('a'), true);
  scene.step(); // handed over, never committed
  const store = new FakeStore();
  const engine = new PersistenceEngine({
    memory: scene.memory,
    store,
    now: () => 0,
    random: () => 0,
    report: () => {},
    isDown: false,
    onSettled: () => {},
    backgroundFlushes: 1,
  });
  while (engine.doWork() + scene.worker.answer() > 0);
  t.equal(store.last.records.length, 1);
  await store.last.settle();
  engine.doWork();
  t.equal(scene.worker.flushed(partition), 1);
});

t.test('WB-23: an outage and its end are noticed while nothing is written', async (t) => {
  const scene = await Scene.idle();
  for (const error of [undefined, OUTAGE, OUTAGE, undefined, undefined]) {
    scene.store.probeError = error;
    scene.nowMs += PROBE_INTERVAL_MS;
    scene.step();
    await turnOfEventLoop();
    scene.step();
  }
  t.same(scene.kinds, ['down', 'up']);
});

t.test(
  'WB-48: batches that fail become shorter, and longer again with every one that does not',
  async (t) => {
    const scene = await Scene.idle();
    for (let i = 0; i < 40; i++) scene.worker.change(record(`k${i}`));
    scene.step();
    scene.nowMs = FLUSH_INTERVAL_MS;
    scene.step();
    const sizes = [scene.store.last.records.length];
    for (let failure = 0; failure < HALVINGS_MAX - 1; failure++) {
      await scene.store.last.settle(OUTAGE);
      scene.step();
      scene.nowMs += BACKOFF_MAX_MS;
      scene.step();
      sizes.push(scene.store.last.records.length);
    }
    t.equal(sizes[0], 40);
    t.equal(sizes.at(-2), 4);
    t.equal(sizes.at(-1), 2);
    const after: number[] = [];
    while (!scene.engine.isClean) {
      await scene.flushAll();
      after.push(scene.store.last.records.length);
    }
    t.same(after.slice(0, 4), [4, 8, 16, 10]);
  },
);

t.test('WB-56: each new reason of an outage is told, one that lasts once', async (t) => {
  const scene = await Scene.idle();
  const reasons = ['It was cut.', 'It refuses.', 'It refuses.', 'It is read-only.'];
  for (const reason of reasons) {
    scene.store.probeError = new StoreError('UNAVAILABLE', reason);
    scene.nowMs += PROBE_INTERVAL_MS;
    scene.step();
    await turnOfEventLoop();
    scene.step();
  }
  t.same(
    scene.reports.map((status) => (status.kind === 'down' ? status.reason : status.kind)),
    ['It was cut.', 'It refuses.', 'It is read-only.'],
  );
});

t.test('WB-40: how far partitions are flushed is kept, once a second where it moved', async (t) => {
  const scene = await Scene.idle();
  const { kept } = scene.store;
  t.equal(kept.length, 1, 'the beginning of an epoch is kept at once');
  t.same(kept[0], everyPartition(0));
  await turnOfEventLoop();
  const { partition } = scene.worker.change(record('a'), true);
  await scene.flushAll();
  scene.nowMs = BASES_INTERVAL_MS - 1;
  scene.step();
  t.equal(kept.length, 1);
  scene.nowMs = BASES_INTERVAL_MS;
  scene.step();
  t.same(kept[1], [{ partition, sequence: 1 }]);
  await turnOfEventLoop();
  scene.nowMs = 3 * BASES_INTERVAL_MS;
  scene.step();
  t.equal(kept.length, 2, 'nothing has moved');
  await scene.engine.end();
  t.same(kept[2], []);
});

t.test(
  'WB-41: what is not flushed is not kept, and a base that failed is kept later',
  async (t) => {
    const scene = await Scene.idle();
    const { kept } = scene.store;
    await turnOfEventLoop();
    scene.worker.change(record('a'), true);
    scene.nowMs = BASES_INTERVAL_MS;
    scene.step();
    t.equal(kept.length, 1, 'under way is not flushed');
    await scene.store.last.settle();
    scene.store.keepError = OUTAGE;
    scene.nowMs = 2 * BASES_INTERVAL_MS;
    scene.step();
    await turnOfEventLoop();
    scene.step();
    t.same(scene.kinds, ['down']);
    scene.store.keepError = undefined;
    scene.nowMs = 3 * BASES_INTERVAL_MS;
    scene.step();
    await turnOfEventLoop();
    scene.step();
    t.same(scene.kinds, ['down', 'up']);
    t.same(kept[1], kept[2]);
    t.equal(kept.length, 3);
  },
);

t.test('WB-45: a worker is told that its marks are known only once they are', async (t) => {
  const scene = await Scene.idle();
  const { control } = scene.worker;
  await turnOfEventLoop();
  scene.step();
  const marks = [
    { partition: 1, sequence: 2 ** 40, ms: 2 ** 46, counter: 0xffff, node: 0xffffff },
    { partition: 270, sequence: 3, ms: 1, counter: 0, node: 0 },
  ];
  scene.store.collectError = OUTAGE;
  scene.propose(marks);
  t.ok(scene.engine.hasWork());
  scene.step();
  await turnOfEventLoop();
  scene.step();
  t.same(scene.kinds, ['down']);
  t.notOk(scene.engine.hasWork(), 'it waits before it tries again');
  t.equal(loadWord(control, WorkerControl.GC_COMMITTED), 0);
  scene.store.collectError = undefined;
  scene.nowMs = COLLECTION_RETRY_MS;
  scene.step();
  t.equal(loadWord(control, WorkerControl.GC_COMMITTED), 0);
  await turnOfEventLoop();
  scene.step();
  t.equal(loadWord(control, WorkerControl.GC_COMMITTED), 1);
  t.same(scene.store.raised, [marks, marks]);
  scene.step();
  t.equal(scene.store.raised.length, 2, 'once');
});

t.test(
  'WB-46: what is collected is forgotten piece by piece, also what a death left',
  async (t) => {
    const scene = new Scene();
    scene.store.forgotten = [FORGET_ROWS_MAX, FORGET_ROWS_MAX, 7, FORGET_ROWS_MAX];
    const settle = async (): Promise<void> => {
      for (let turn = 0; turn < 5; turn++) {
        scene.step();
        await turnOfEventLoop();
      }
    };
    await settle();
    t.same(scene.store.forgotten, [FORGET_ROWS_MAX], 'until a piece is not full');
    scene.propose([{ partition: 1, sequence: 3, ms: 1, counter: 0, node: 0 }]);
    await settle();
    t.same(scene.store.forgotten, []);
  },
);

function everyPartition(sequence: number): PartitionNumber[] {
  return Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, sequence }));
}

t.test('FENCE-6: a fenced engine says so once and flushes nothing more', async (t) => {
  const scene = await Scene.idle();
  const { partition } = scene.worker.change(record('a'), true);
  scene.step();
  await scene.store.last.settle(new StoreError('FENCED', 'Taken over.'));
  scene.step();
  t.ok(scene.engine.isFenced);
  scene.worker.change(record('b'), true);
  scene.nowMs = 60_000;
  scene.step();
  t.equal(scene.store.calls.length, 1);
  t.equal(scene.worker.flushed(partition), 0);
  t.same(scene.kinds, ['fenced']);
});
