import { JOURNAL_ENTRIES, partitionOf } from '@tidewire/core';
import {
  BatchEnd,
  BatchKind,
  Doorbell,
  loadWatermark,
  RecordLayout,
  RingConsumer,
  storeWatermark,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import t from 'tap';
import { SafeLane } from '#lib/execute/safe-lane.js';
import { PersistenceQueue } from '#lib/persistence-queue.js';
import { RecordStore } from '#lib/store/record-store.js';
import { findKey, hashesIn, type Key, putKey, randomFrom } from './store-fixture.js';
import { doorbells, smallMemory } from './worker-fixture.js';

const PARTITIONS_USED = [3, 8];
const SEED = Number(process.env['SEED'] ?? 20261122);
const STEPS = process.env['TIDEWIRE_LONG_TESTS'] === undefined ? 6000 : 100_000;

/** One change as the model remembers it. */
interface Change {
  readonly key: Key;
  readonly sequence: number;
}

/** What a batch completes, and the changes in it. */
interface Batch {
  readonly changes: readonly Change[];
  readonly laneHanded: number;
  readonly changesWhole: number;
  readonly marks: readonly (readonly [partition: number, sequence: number])[];
}

/** A persistence thread that keeps what it commits, and can fail. Two batches may be on their way. */
class FakePersistence {
  /** Key → highest sequence committed. */
  readonly table = new Map<Key, number>();
  readonly #control: Int32Array;
  readonly #ring: RingConsumer;
  readonly #keyOf: (hash: number) => Key;
  #pull = 0;
  #isPulling = false;
  #attempt = 0;
  #taken: Change[] = [];
  readonly #batches: Batch[] = [];

  constructor(memory: WorkerMemory, keyOf: (hash: number) => Key) {
    this.#control = new Int32Array(memory.control);
    this.#ring = new RingConsumer(memory.batchRing);
    this.#keyOf = keyOf;
  }

  get hasBatch(): boolean {
    return this.#batches.length > 0;
  }

  /** A pull is out, or may not be: two batches are on their way. */
  get isPulling(): boolean {
    return this.#isPulling || this.#batches.length === 2;
  }

  /** `lane`: SAFE references that it waits for. */
  pull(records: number, lane = 0): void {
    this.#isPulling = true;
    this.#control[WorkerControl.PULL_RECORDS] = records;
    storeWord(this.#control, WorkerControl.PULL_LANE, lane);
    storeWord(this.#control, WorkerControl.PULL_REQUESTED, ++this.#pull);
  }

  /** The pull that is out waits for nothing any more. */
  call(): void {
    storeWord(this.#control, WorkerControl.PULL_LANE, 0);
  }

  listen(): void {
    const { words } = this.#ring;
    while (this.#ring.next()) {
      const at = this.#ring.index;
      if (this.#ring.kind === BatchKind.RECORD)
        this.#taken.push({
          key: this.#keyOf(words[at]),
          sequence: RecordLayout.sequenceOf(words, at),
        });
      else this.#onEnd(words, at);
    }
    this.#ring.release();
  }

  /** The older batch is committed. Returns the keys in it. */
  commit(): Key[] {
    const batch = this.#batches.shift();
    if (batch === undefined) return [];
    for (const { key, sequence } of batch.changes)
      this.table.set(key, Math.max(sequence, this.table.get(key) ?? 0));
    for (const [partition, sequence] of batch.marks) {
      const index = WorkerControl.flushedIndex(partition);
      if (sequence > loadWatermark(this.#control, index))
        storeWatermark(this.#control, index, sequence);
    }
    const flushed = Math.max(this.#control[WorkerControl.LANE_FLUSHED], batch.laneHanded);
    storeWord(this.#control, WorkerControl.LANE_FLUSHED, flushed);
    storeWord(this.#control, WorkerControl.CHANGES_WHOLE, batch.changesWhole);
    return batch.changes.map(({ key }) => key);
  }

  fail(): void {
    storeWord(this.#control, WorkerControl.ATTEMPT, ++this.#attempt);
    this.#isPulling = this.#pull !== this.#control[WorkerControl.PULL_SERVED];
    this.#batches.length = 0;
    this.#taken = [];
  }

  #onEnd(words: Int32Array, at: number): void {
    const marks = Array.from({ length: words[at + BatchEnd.MARK_COUNT] }, (_, i) => {
      const mark = at + BatchEnd.MARKS + i * BatchEnd.MARK_WORDS;
      return [words[mark], RecordLayout.joinWords(words[mark + 1], words[mark + 2])] as const;
    });
    const changes = this.#taken.splice(0);
    this.#isPulling = this.#pull !== this.#control[WorkerControl.PULL_SERVED];
    if (words[at + BatchEnd.PULL] !== this.#pull || words[at + BatchEnd.ATTEMPT] !== this.#attempt)
      return;
    this.#batches.push({
      changes,
      marks,
      laneHanded: words[at + BatchEnd.LANE_HANDED],
      changesWhole: words[at + BatchEnd.CHANGES_WHOLE],
    });
  }
}

t.test(
  'QUEUE-1: whatever was flushed is in the table, itself or newer, through failures, overruns and deaths',
  async (t) => {
    t.comment(`SEED=${SEED}`);
    const random = randomFrom(SEED);
    const memory = smallMemory(8 * 1024 * 1024);
    const control = new Int32Array(memory.control);
    const bell = new Doorbell(new Int32Array(doorbells()), 0);
    const keys: Key[] = PARTITIONS_USED.flatMap((partition) =>
      hashesIn(partition, 400).map((hash, i) => ({
        hash,
        mapId: 0,
        length: 4,
        words: Int32Array.of(i),
      })),
    );
    const keyByHash = new Map(keys.map((key) => [key.hash, key]));
    const persistence = new FakePersistence(memory, (hash) => keyByHash.get(hash) as Key);
    const attach = () => {
      const store = new RecordStore(memory.arena);
      const queue = new PersistenceQueue({
        store,
        control,
        batchRing: memory.batchRing,
        persistenceDoorbell: bell,
        partitions: PARTITIONS_USED,
      });
      return { store, queue };
    };
    let { store, queue } = attach();
    const changes: Change[] = [];
    let ms = 0;
    const write = (key: Key): void => {
      const length = random(200);
      const content = { counter: 0, node: 1, kind: 1, length, seed: ms, expiresAt: 0 };
      const record = putKey(store, key, { ms: ++ms, isTombstone: random(9) === 0, ...content }, 0);
      changes.push({ key, sequence: RecordLayout.sequenceOf(store.words, record) });
      control[WorkerControl.CHANGES] = changes.length;
    };
    const wait = (key: Key): void => {
      const record = findKey(store, key);
      if (record === 0) return;
      const tail = control[WorkerControl.LANE_TAIL];
      const entry = WorkerControl.laneIndex(tail);
      const sequence = RecordLayout.sequenceOf(store.words, record);
      control.set([partitionOf(key.hash), store.indexHashOf(key.hash, 0), sequence, 0], entry);
      control[WorkerControl.LANE_TAIL] = tail + 1;
      lane.push({ key, sequence });
    };
    const lane: Change[] = [];
    const check = (): void => {
      for (const { key, sequence } of changes) {
        const flushed = loadWatermark(control, WorkerControl.flushedIndex(partitionOf(key.hash)));
        if (sequence <= flushed && (persistence.table.get(key) ?? 0) < sequence)
          t.fail(`change ${sequence} counts as flushed and is not in the table`);
      }
      for (const { key, sequence } of changes.slice(0, control[WorkerControl.CHANGES_WHOLE]))
        if ((persistence.table.get(key) ?? 0) < sequence)
          t.fail('not all changes are in the table of which that is said');
      for (const { key, sequence } of lane.slice(0, control[WorkerControl.LANE_FLUSHED]))
        if ((persistence.table.get(key) ?? 0) < sequence)
          t.fail('a SAFE write was answered too early');
    };
    const hot = keys.slice(0, 5);
    let commits = 0;
    for (let step = 0; step < STEPS && t.passing(); step++) {
      const dice = random(100);
      if (dice < 60) write(random(3) === 0 ? hot[random(5)] : keys[random(keys.length)]);
      else if (dice < 63) wait(keys[random(keys.length)]);
      else if (dice < 64)
        for (let i = 0; i < JOURNAL_ENTRIES + 50; i++) write(keys[random(keys.length)]);
      else if (dice < 75 && !persistence.isPulling) persistence.pull(1 + random(400), random(4));
      else if (dice < 75) persistence.call();
      else if (dice < 88) queue.doWork();
      else if (dice < 93) persistence.listen();
      else if (dice < 98 && persistence.hasBatch) {
        persistence.commit();
        commits++;
        if (commits % 20 === 0) check();
      } else if (dice === 98) persistence.fail();
      else if (dice === 99 && random(4) === 0) ({ store, queue } = attach());
    }
    while (persistence.hasBatch) persistence.commit();
    for (let i = 0; i < 10_000 && queue.dirtyCount() + (persistence.isPulling ? 1 : 0) > 0; i++) {
      persistence.call();
      if (!persistence.isPulling) persistence.pull(500);
      queue.doWork();
      persistence.listen();
      if (persistence.hasBatch) persistence.commit();
    }
    check();
    t.ok(commits > 20, `${commits} commits, ${changes.length} changes, ${lane.length} waited`);
    let behind = 0;
    for (const key of keys) {
      const record = findKey(store, key);
      if (
        record !== 0 &&
        persistence.table.get(key) !== RecordLayout.sequenceOf(store.words, record)
      )
        behind++;
    }
    t.equal(behind, 0, 'in the end the table has every record');
  },
);

/** A worker's queue over some partitions, with keys of each. */
function begin(keysEach: number) {
  const memory = smallMemory(8 * 1024 * 1024);
  const control = new Int32Array(memory.control);
  const store = new RecordStore(memory.arena);
  const queue = new PersistenceQueue({
    store,
    control,
    batchRing: memory.batchRing,
    persistenceDoorbell: new Doorbell(new Int32Array(doorbells()), 0),
    partitions: PARTITIONS_USED,
  });
  const keys = PARTITIONS_USED.map((partition) =>
    hashesIn(partition, keysEach).map(
      (hash, i): Key => ({ hash, mapId: 0, length: 4, words: Int32Array.of(i) }),
    ),
  );
  const byHash = new Map(keys.flat().map((key) => [key.hash, key]));
  const persistence = new FakePersistence(memory, (hash) => byHash.get(hash) as Key);
  let ms = 0;
  const write = (key: Key, isSafe = false): void => {
    const content = { counter: 0, node: 1, kind: 1, length: 4, seed: 1, expiresAt: 0 };
    const record = putKey(store, key, { ms: ++ms, isTombstone: false, ...content }, 0);
    control[WorkerControl.CHANGES]++;
    if (isSafe) new SafeLane(store, control).enter(partitionOf(key.hash), record);
  };
  const flush = (records: number): Key[] => {
    persistence.pull(records);
    while (queue.hasWork()) {
      queue.doWork();
      persistence.listen();
    }
    return persistence.commit();
  };
  return { keys, write, flush };
}

t.test('WB-65: however many SAFE writes wait, a batch has others too', async (t) => {
  const { keys, write, flush } = begin(200);
  const [safe, [fast]] = keys;
  write(fast);
  const batches: Key[][] = [];
  for (let i = 0; i < 5; i++) {
    for (const key of safe) write(key, true);
    batches.push(flush(100));
  }
  const other = batches.findIndex((batch) => batch.includes(fast));
  t.ok(other >= 0, `in batch ${other}`);
});

t.test('WB-66: a partition that is written all the time keeps no other waiting', async (t) => {
  const { keys, write, flush } = begin(200);
  const [hot, [cold]] = keys;
  for (const key of hot) write(key);
  write(cold);
  const batches: Key[][] = [];
  for (let i = 0; i < 8; i++) {
    batches.push(flush(100));
    for (const key of hot) write(key);
  }
  const other = batches.findIndex((batch) => batch.includes(cold));
  t.ok(other >= 0, `in batch ${other}`);
});
