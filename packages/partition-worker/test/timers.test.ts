import { RecordLayout } from '@tidewire/core/threads';
import t from 'tap';
import { TimerHeap } from '#lib/lifetime/timer-heap.js';
import { Timers } from '#lib/lifetime/timers.js';
import { ABSENT, RecordStore } from '#lib/store/record-store.js';
import {
  findKey,
  hashesIn,
  type Key,
  putKey,
  randomFrom,
  removeKey,
  type Write,
} from './store-fixture.js';

const SEED = Number(process.env['SEED'] ?? 20_26);
const PARTITIONS = [3, 8];
const ROUNDS = 6000;

t.before(() => t.comment(`SEED=${SEED}`));

t.test('LIFE-3: a heap gives back its entries by time, whatever the order they came in', (t) => {
  const random = randomFrom(SEED);
  const heap = new TimerHeap();
  const left: number[] = [];
  for (let i = 0; i < 20_000; i++) {
    if (random(5) > 1 || left.length === 0) {
      const ms = 1.7e12 + random(3000);
      heap.push(ms, ms % 271, -(ms % 1009));
      left.push(ms);
      continue;
    }
    const ms = heap.firstMs;
    heap.pop();
    if (heap.firstMs < ms) throw new Error('not the earliest');
    if (heap.partition !== ms % 271 || heap.indexHash !== -(ms % 1009)) throw new Error('mixed up');
    left.splice(left.indexOf(ms), 1);
  }
  const drained: number[] = [];
  while (heap.count > 0) {
    drained.push(heap.firstMs);
    heap.pop();
  }
  t.same(
    drained,
    left.toSorted((a, b) => a - b),
  );
  t.equal(heap.firstMs, Number.POSITIVE_INFINITY);
  t.end();
});

/** Some keys share a hash, so that they share their entries too. */
const keys: Key[] = PARTITIONS.flatMap((partition) =>
  hashesIn(partition, 200).flatMap((hash, i) =>
    (i % 5 === 0 ? [0, 1] : [0]).map((j) => ({
      hash,
      mapId: 1,
      length: 8,
      words: Int32Array.of(i, j),
    })),
  ),
);

class Model {
  readonly store = new RecordStore(new SharedArrayBuffer(8 * 1024 * 1024));
  timers = new Timers(this.store, PARTITIONS);
  nowMs = 1000;
  /** Key → when it expires. */
  readonly ends = new Map<Key, number>();

  put(key: Key, expiresAt: number): void {
    const write: Write = {
      ms: this.nowMs,
      counter: 0,
      node: 1,
      kind: 1,
      length: 10,
      seed: 1,
      expiresAt,
      isTombstone: false,
    };
    const old = findKey(this.store, key);
    const record = putKey(this.store, key, write, 0);
    this.timers.replaced(record, old);
    this.ends.delete(key);
    if (expiresAt !== 0) this.ends.set(key, expiresAt);
  }

  remove(key: Key): void {
    removeKey(this.store, key);
    this.ends.delete(key);
  }

  /** Keys that the timers have found to be over. */
  sweep(): number[] {
    const over: number[] = [];
    while (this.timers.isDue(this.nowMs)) {
      const record = this.timers.takeDue(this.nowMs);
      if (record === ABSENT) continue;
      const key = keys.find((candidate) => findKey(this.store, candidate) === record) as Key;
      if (RecordLayout.expiresAtOf(this.store.words, record) > this.nowMs)
        throw new Error('before its time');
      over.push(keys.indexOf(key));
      this.remove(key);
    }
    return over.sort((a, b) => a - b);
  }
}

t.test(
  'LIFE-4: every record is found at its end and none before, through overwrites, new builds and deaths',
  (t) => {
    const random = randomFrom(SEED);
    const model = new Model();
    let found = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const key = keys[random(keys.length)];
      const choice = random(20);
      if (choice < 12) model.put(key, model.nowMs + 1 + random(400));
      else if (choice < 15) model.put(key, 0);
      else if (choice < 16) model.remove(key);
      else if (choice < 17) model.timers.scan();
      else model.nowMs += random(20);
      if (random(900) === 0) model.timers = new Timers(model.store, PARTITIONS);
      if (random(10) > 0 || model.timers.isScanning) continue;
      const expected = [...model.ends]
        .filter(([, endMs]) => endMs <= model.nowMs)
        .map(([ended]) => keys.indexOf(ended));
      const over = model.sweep();
      found += over.length;
      if (over.join() !== expected.sort((a, b) => a - b).join())
        t.same(over, expected, `round ${round}`);
    }
    t.ok(found > 300, `${found} ends found`);
    t.end();
  },
);

t.test(
  'LIFE-5: entries of records that live on do not pile up, and building anew loses none',
  (t) => {
    const model = new Model();
    const few = keys.slice(0, 60);
    let entriesMax = 0;
    for (let i = 0; i < 60_000; i++) {
      model.put(few[i % 60], i % 120 < 60 ? 1_000_000 - i : 0); // each time an end before all entries
      model.timers.scan();
      entriesMax = Math.max(entriesMax, model.timers.entries);
    }
    t.ok(entriesMax > 4096, 'it came to building anew');
    t.ok(entriesMax < 4096 + 1000, `${entriesMax} entries for ${few.length} records`);
    for (const key of few) model.put(key, 999_000);
    while (model.timers.isScanning) model.timers.scan();
    model.nowMs = 999_000;
    t.equal(model.sweep().length, few.length);
    t.equal(model.sweep().length, 0, 'each once');
    t.end();
  },
);
