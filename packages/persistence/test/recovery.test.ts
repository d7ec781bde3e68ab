import { PARTITIONS, partitionOf, VALUE_BYTES_MAX } from '@tidewire/core';
import {
  allocateSharedMemory,
  loadWatermark,
  MapTable,
  ownerOf,
  RecordLayout,
  RecoveryKind,
  RecoveryPartition,
  RingConsumer,
  type SharedMemory,
  WorkerControl,
} from '@tidewire/core/threads';
import t from 'tap';
import { ImageReader } from '#lib/record-image.js';
import { type Idle, Recovery } from '#lib/recovery.js';
import type { StoredRecord } from '#lib/store.js';
import { FakeStore } from './support/fake-store.js';
import { KEYS, record, removal, sorted, VALUES } from './support/records.js';
import { rejects } from './support/rejects.js';

/** What one worker reads from its recovery ring. */
class RecoveringWorker {
  readonly records: StoredRecord[] = [];
  readonly sequences: Map<number, number> = new Map();
  /** The GC words of each partition. */
  readonly collected: Map<number, number[]> = new Map();
  readonly ring: RingConsumer;
  readonly #images: ImageReader;
  hasEnded = false;

  constructor(memory: SharedMemory, worker: number) {
    const { recoveryRing } = memory.workers[worker];
    this.ring = new RingConsumer(recoveryRing);
    this.#images = new ImageReader(recoveryRing, new MapTable(memory.mapTable));
  }

  read(): void {
    while (this.ring.next()) this.#take(this.ring.kind, this.ring.words, this.ring.index);
    this.ring.release();
  }

  readOne(): void {
    if (this.ring.next()) this.#take(this.ring.kind, this.ring.words, this.ring.index);
    this.ring.release();
  }

  #take(kind: number, words: Int32Array, at: number): void {
    if (this.hasEnded) throw new Error('a ring record behind the end');
    if (kind === RecoveryKind.END) this.hasEnded = true;
    if (kind === RecoveryKind.RECORD)
      this.records.push(this.#images.read(at, partitionOf(words[at])));
    if (kind === RecoveryKind.PARTITION) this.#takePartition(words, at);
  }

  #takePartition(words: Int32Array, at: number): void {
    const partition = words[at + RecoveryPartition.PARTITION];
    const low = words[at + RecoveryPartition.SEQUENCE_LOW];
    const high = words[at + RecoveryPartition.SEQUENCE_HIGH];
    this.sequences.set(partition, RecordLayout.joinWords(low, high));
    const from = at + RecoveryPartition.GC_SEQUENCE_LOW;
    this.collected.set(partition, [...words.slice(from, at + RecoveryPartition.WORDS)]);
  }
}

interface Scene {
  memory: SharedMemory;
  store: FakeStore;
  workers: RecoveringWorker[];
  recovery: Recovery;
  waits: number;
  isStopping: boolean;
  onIdle: (hasRoom: () => boolean) => void;
}

function scene(workers: number): Scene {
  const memory = allocateSharedMemory({ workers, arenaBytes: 64 });
  const readers = memory.workers.map((_, worker) => new RecoveringWorker(memory, worker));
  const idle: Idle = async (hasRoom) => {
    made.waits++;
    made.onIdle(hasRoom);
  };
  const made: Scene = {
    memory,
    store: new FakeStore(),
    workers: readers,
    recovery: new Recovery({ memory, idle, isStopping: () => made.isStopping }),
    waits: 0,
    isStopping: false,
    onIdle: () => {
      for (const reader of readers) reader.read();
    },
  };
  return made;
}

t.test('REC-2: each worker gets the records of its partitions, bit for bit', async (t) => {
  const { memory, store, workers, recovery } = scene(3);
  const records = sorted([
    ...Object.entries(VALUES).map(([key, value]) => record(key, { value })),
    ...KEYS.map((key) => record(key, { map: key.slice(0, 20), kind: 2, expiresAt: 2 ** 48 - 1 })),
    removal('fewer', { ms: 2 ** 47 - 1, counter: 3 }),
    removal('gone', { ms: 2 ** 47 - 1, counter: 0xffff, node: 0xffffff, sequence: 2 ** 48 - 1 }),
  ]).map((each) => ({ ...each, value: Buffer.from(each.value) }));
  store.groups = [records.slice(0, 5), records.slice(5)];
  const progress: number[] = [];
  const found = await recovery.run(store, (count) => progress.push(count));
  t.match(found, { records: records.length, ms: 2 ** 47 - 1, counter: 0xffff });
  t.same(progress, [5, records.length]);
  t.same(sorted(workers.flatMap((worker) => worker.records)), records);
  for (const [worker, reader] of workers.entries()) {
    t.ok(reader.hasEnded);
    for (const { partition } of reader.records) t.equal(ownerOf(partition, 3), worker);
  }
  t.equal(new MapTable(memory.mapTable).count, new Set(records.map(({ map }) => map)).size);
});

t.test('REC-3: partitions go on above the highest sequence, which is flushed', async (t) => {
  const { memory, store, workers, recovery } = scene(2);
  const a = record('a', { sequence: 2 ** 40 });
  const b = record('b', { sequence: 7 });
  store.groups = [[a, b]];
  store.sequences = [
    { partition: a.partition, sequence: 12 },
    { partition: b.partition, sequence: 12 },
    { partition: 0, sequence: 3 },
  ];
  await recovery.run(store, () => {});
  const sequences = new Map(workers.flatMap((worker) => [...worker.sequences]));
  t.equal(sequences.size, PARTITIONS);
  const expected: [number, number][] = [
    [a.partition, 2 ** 40],
    [b.partition, 12],
    [0, 3],
    [1, 0],
  ];
  for (const [partition, sequence] of expected) {
    t.equal(sequences.get(partition), sequence);
    const control = new Int32Array(memory.workers[ownerOf(partition, 2)].control);
    t.equal(loadWatermark(control, WorkerControl.flushedIndex(partition)), sequence);
  }
});

t.test('REC-20: the worker learns what was collected of each of its partitions', async (t) => {
  const { store, workers, recovery } = scene(2);
  store.collected = [
    { partition: 5, sequence: 2 ** 48 - 1, ms: 2 ** 47 - 1, counter: 0xffff, node: 0xffffff },
    { partition: 8, sequence: 3, ms: 1, counter: 2, node: 4 },
  ];
  await recovery.run(store, () => {});
  const collected = new Map(workers.flatMap((worker) => [...worker.collected]));
  t.same(collected.get(5), [-1, 0xffff, -1, (0x7fff << 16) | 0xffff, 0xffffff]);
  t.same(collected.get(8), [3, 0, 1, 2, 4]);
  t.same(collected.get(6), [0, 0, 0, 0, 0]);
});

t.test('REC-4: a table larger than a ring waits for the workers', async (t) => {
  const made = scene(1);
  const value = new Uint8Array(VALUE_BYTES_MAX).fill(7);
  made.store.groups = Array.from({ length: 5 }, (_, group) =>
    Array.from({ length: 100 }, (_, i) => record(`k${group}-${i}`, { value })),
  );
  await made.recovery.run(made.store, () => {});
  t.ok(made.waits > 2);
  t.equal(made.workers[0].records.length, 500);
  t.ok(made.workers[0].records.every((each) => Buffer.compare(each.value, value) === 0));
});

t.test('REC-10: the room that is waited for is the room that a claim needs', async (t) => {
  const made = scene(1);
  made.store.groups = [
    Array.from({ length: 2000 }, (_, i) =>
      record(`k${i}`, { value: new Uint8Array((i * 7919) % VALUE_BYTES_MAX) }),
    ),
  ];
  made.onIdle = (hasRoom) => {
    if (hasRoom()) throw new Error('it had been woken without room enough');
    while (!hasRoom()) made.workers[0].readOne();
  };
  await made.recovery.run(made.store, () => {});
  t.equal(made.workers[0].records.length, 2000);
  t.ok(made.waits > 100);
});

t.test('REC-11: told to stop, recovery ends although no worker reads', async (t) => {
  const value = new Uint8Array(VALUE_BYTES_MAX);
  const made = scene(1);
  made.store.groups = [Array.from({ length: 500 }, (_, i) => record(`k${i}`, { value }))];
  made.onIdle = () => {
    made.isStopping = true;
  };
  await t.rejects(
    made.recovery.run(made.store, () => {}),
    { name: 'StoppedError' },
  );
  t.equal(made.waits, 1);
  const drained = scene(1);
  drained.onIdle = () => {
    drained.isStopping = true;
  };
  await t.rejects(
    drained.recovery.run(drained.store, () => {}),
    { name: 'StoppedError' },
  );
  const between = scene(1);
  between.store.groups = [[record('a')], [record('b')]];
  const progress: number[] = [];
  const run = between.recovery.run(between.store, (records) => {
    progress.push(records);
    between.isStopping = true;
  });
  await t.rejects(run, { name: 'StoppedError' });
  t.same(progress, [1]);
});

t.test('REC-5: a record that cannot be is refused with its name', async (t) => {
  const wrong: StoredRecord[] = [
    record('a', { partition: 3 }),
    record('long'.repeat(300)),
    record('a', { value: new Uint8Array(VALUE_BYTES_MAX + 1) }),
    record('a', { map: '' }),
    record('a', { map: 'm'.repeat(129) }),
  ];
  for (const each of wrong) {
    const { store, recovery } = scene(1);
    store.groups = [[each]];
    await rejects(
      t,
      recovery.run(store, () => {}),
      'FOREIGN',
      /table/,
    );
  }
});
