import { EPOCHS_KEPT, MERGE_RECORDS_MIN, PARTITIONS } from '@tidewire/core';
import type { Test } from 'tap';
import type { Store, StoredRecord } from '#lib/store.js';
import { KEYS, record, removal, sorted, text, VALUES } from './support/records.js';
import { rejects } from './support/rejects.js';

/** Makes stores on one empty place, so that two of them meet there. */
export type MakeStore = () => Store;

/** So many records make a large flush, new or known: see limits.ts. */
const LARGE = MERGE_RECORDS_MIN;
const FIRST = { takeOver: false };
const TAKE_OVER = { takeOver: true };

/** The rules that every Store keeps. `freshPlace` gives an empty place a test. */
export function storeContract(t: Test, freshPlace: () => Promise<MakeStore>): void {
  async function opened(t: Test): Promise<{ store: Store; make: MakeStore }> {
    const make = await freshPlace();
    const store = make();
    t.teardown(() => store.close());
    await store.open(FIRST);
    return { store, make };
  }

  t.test('WB-1: values and keys come back bit for bit', async (t) => {
    const { store } = await opened(t);
    const records = sorted([
      ...Object.entries(VALUES).map(([key, value], i) => record(key, { value, sequence: i + 1 })),
      ...KEYS.map((key, i) => record(key, { map: key.slice(0, 20), kind: 2, sequence: i + 1 })),
      record('all', {
        ms: 2 ** 47 - 1,
        counter: 0xffff,
        node: 0xffffff,
        sequence: 2 ** 48 - 1,
        expiresAt: 2 ** 48,
        partition: 270,
      }),
    ]);
    await store.flush(records);
    t.same(sorted(await recovered(store)), plain(records));
  });

  t.test('WB-2: a record is replaced only by a later one in the order of writes', async (t) => {
    const { store } = await opened(t);
    for (const [name, older, newer] of orderedPairs()) {
      await store.flush([newer]);
      await store.flush([older]);
      t.same(await recordOf(store, name), plain([newer]), `${name}: not by an older one`);
    }
    for (const [name, older, newer] of orderedPairs()) {
      const rename = { key: `${name}, upwards` };
      await store.flush([{ ...older, ...rename }]);
      await store.flush([{ ...newer, ...rename }]);
      t.same(await recordOf(store, rename.key), plain([{ ...newer, ...rename }]), name);
    }
  });

  t.test('WB-3: a flush repeated changes nothing', async (t) => {
    const { store } = await opened(t);
    const records = [record('a'), removal('b'), record('c', { expiresAt: 5 })];
    await store.flush(records);
    await store.flush(records);
    t.same(sorted(await recovered(store)), plain(records));
  });

  t.test('WB-4: a buried record comes back unless the table has a newer one', async (t) => {
    const { store } = await opened(t);
    await store.flush([record('a', { ms: 1 }), record('b', { ms: 3 })]);
    const buried = ['a', 'b', 'c'].map((key) => record(key, { ms: 2, sequence: 70 }));
    for (const each of buried) await store.bury(each, 'refused');
    const expected = [buried[0], record('b', { ms: 3 }), buried[2]];
    t.same(sorted(await recovered(store)), plain(expected));
  });

  t.test(
    'STOREC-3: large flushes keep the same rules, the new rows and the known ones',
    async (t) => {
      const { store } = await opened(t);
      const pairs = orderedPairs();
      const values = Object.entries(VALUES).map(([key, value]) => record(`v ${key}`, { value }));
      const keys = KEYS.map((key) => record(key, { map: key.slice(0, 20), kind: 2, node: 7 }));
      const extremes = { ms: 2 ** 47 - 1, counter: 0xffff, node: 0xffffff, partition: 270 };
      const last = record('all', { ...extremes, sequence: 2 ** 48 - 1, expiresAt: 2 ** 48 - 1 });
      const fillers = Array.from({ length: LARGE }, (_, i) => record(`f${i}`, { sequence: i + 1 }));
      const all = sorted([
        ...values,
        ...keys,
        last,
        ...fillers,
        ...pairs.map(([, older]) => older),
      ]);
      await store.flush(all);
      t.same(sorted(await recovered(store)), plain(all), 'all new');
      await store.flush(all);
      t.same(sorted(await recovered(store)), plain(all), 'repeated');
      const later = fillers.map((each, i) => ({ ...each, counter: i % 2, value: text(`"${i}"`) }));
      const newer = sorted([...pairs.map(([, , each]) => each), ...later]);
      const kept = later.map((each, i) => (isLater(each, fillers[i]) ? each : fillers[i]));
      const expected = sorted([
        ...values,
        ...keys,
        last,
        ...kept,
        ...pairs.map(([, , each]) => each),
      ]);
      await store.flush(newer);
      t.same(sorted(await recovered(store)), plain(expected), 'newer and older ones');
      await store.flush(all);
      t.same(sorted(await recovered(store)), plain(expected), 'older ones change nothing');
      const more = sorted(fillers.map((each) => ({ ...each, key: `x${each.key}` })));
      for (const part of [more.slice(0, LARGE / 2), more]) await store.flush(part);
      t.same(sorted(await recovered(store)), plain(sorted([...expected, ...more])), 'some new');
    },
  );

  t.test('REC-1: recovery hands over every record, tombstones and expired too', async (t) => {
    const { store } = await opened(t);
    const records = sorted(
      Array.from({ length: 5000 }, (_, i) =>
        i % 3 === 0 ? removal(`k${i}`) : record(`k${i}`, { expiresAt: i % 3 === 1 ? 0 : 1 }),
      ),
    );
    await store.flush(records);
    t.same(sorted(await recovered(store)), plain(records));
  });

  t.test('FENCE-1: every opening takes a higher epoch', async (t) => {
    const make = await freshPlace();
    for (const epoch of [1, 2, 3]) {
      const store = make();
      t.match(await store.open(FIRST), { epoch });
      await store.close();
    }
  });

  t.test('STOREC-1: a store has a number of its own, for good', async (t) => {
    const numbers: bigint[] = [];
    for (const make of [await freshPlace(), await freshPlace()])
      for (let start = 0; start < 2; start++) {
        const store = make();
        numbers.push((await store.open(FIRST)).store);
        await store.close();
      }
    t.equal(numbers[0], numbers[1]);
    t.equal(numbers[2], numbers[3]);
    t.not(numbers[0], numbers[2]);
    t.ok(numbers.every((number) => number >= 0n && number < 2n ** 63n));
  });

  t.test('STOREC-2: bases of the last epochs come back, and count as sequences', async (t) => {
    const make = await freshPlace();
    for (let epoch = 1; epoch <= EPOCHS_KEPT + 2; epoch++) {
      const store = make();
      await store.open(FIRST);
      if (epoch === 3) await store.keepBases([]);
      else await store.keepBases([{ partition: 270, sequence: epoch }]);
      await store.keepBases([
        { partition: 0, sequence: 2 ** 48 - 1 - epoch },
        { partition: 7, sequence: 10 * epoch },
      ]);
      await store.keepBases([{ partition: 7, sequence: 10 * epoch - 1 }]); // it never falls
      await store.close();
    }
    const store = make();
    t.teardown(() => store.close());
    await store.open(FIRST);
    const { bases, sequences, collected } = await store.recover(async () => {});
    const kept = Array.from({ length: EPOCHS_KEPT }, (_, i) => i + 3);
    t.same(
      [...bases.keys()].sort((a, b) => a - b),
      kept,
    );
    for (const epoch of kept) {
      const base = [...(bases.get(epoch) ?? [])];
      t.equal(base.length, PARTITIONS);
      const last = epoch === 3 ? 0 : epoch;
      t.same([base[0], base[1], base[7], base[270]], [2 ** 48 - 1 - epoch, 0, 10 * epoch, last]);
    }
    const highest = new Map(sequences.map(({ partition, sequence }) => [partition, sequence]));
    t.same(
      [...highest].sort(([a], [b]) => a - b),
      [
        [0, 2 ** 48 - 3], // of epoch 2, the oldest that is kept
        [7, 10 * (EPOCHS_KEPT + 2)],
        [270, EPOCHS_KEPT + 2],
      ],
    );
    t.same(collected, []);
  });

  t.test('STOREC-4: collected marks never fall, sequence and stamp each on its own', async (t) => {
    const { store } = await opened(t);
    const first = { partition: 3, sequence: 2 ** 48 - 1, ms: 5, counter: 2, node: 7 };
    await store.raiseCollected([]);
    await store.raiseCollected([first, { ...first, partition: 4, node: 9 }]);
    await store.raiseCollected([
      { ...first, sequence: 1, counter: 3, node: 1 },
      { partition: 270, sequence: 4, ms: 2 ** 47 - 1, counter: 0xffff, node: 0xffffff },
    ]);
    await store.raiseCollected([
      { ...first, ms: 4, counter: 9 },
      { ...first, partition: 4 },
    ]);
    const { collected, sequences } = await store.recover(async () => {});
    t.same([...collected].sort(byPartition), [
      { ...first, counter: 3, node: 1 },
      { ...first, partition: 4, node: 9 },
      { partition: 270, sequence: 4, ms: 2 ** 47 - 1, counter: 0xffff, node: 0xffffff },
    ]);
    t.same([...sequences].sort(byPartition), [
      { partition: 3, sequence: 2 ** 48 - 1 },
      { partition: 4, sequence: 2 ** 48 - 1 },
      { partition: 270, sequence: 4 },
    ]);
  });

  t.test('STOREC-5: collected tombstones are forgotten, and older letters with them', async (t) => {
    const { store } = await opened(t);
    const at = (key: string, sequence: number, ms: number): StoredRecord =>
      removal(key, { partition: 3, sequence, ms });
    const kept = [
      record('alive', { partition: 3, sequence: 5, ms: 5 }),
      at('late', 6, 5),
      { ...at('elsewhere', 5, 5), partition: 4 },
      at('younger', 5, 6),
      record('stands', { partition: 3, sequence: 9, ms: 9 }),
    ];
    const gone = [at('a', 5, 5), at('b', 1, 1), at('c', 4, 4), at('stands', 3, 3)];
    await store.flush(sorted([...kept.slice(0, 4), ...gone]));
    await store.bury(record('a', { partition: 3, ms: 2 }), 'refused');
    await store.bury(record('stands', { partition: 3, sequence: 9, ms: 9 }), 'refused');
    t.equal(await store.forgetCollected(10), 0, 'nothing is collected yet');
    await store.raiseCollected([{ partition: 3, sequence: 5, ms: 5, counter: 0, node: 0 }]);
    t.equal(await store.forgetCollected(3), 3);
    t.equal(await store.forgetCollected(3), 1);
    t.equal(await store.forgetCollected(3), 0);
    t.same(sorted(await recovered(store)), plain(sorted(kept)));
    await store.flush([record('a', { partition: 3, sequence: 7, ms: 7 })]);
    t.equal((await recordOf(store, 'a')).length, 1, 'its key may be written again');
  });

  t.test('FENCE-2: a second process is refused while the first holds the store', async (t) => {
    const { store, make } = await opened(t);
    const second = make();
    t.teardown(() => second.close());
    await rejects(t, second.open(FIRST), 'LOCKED');
    await store.flush([record('a')]);
    t.equal((await recovered(store)).length, 1, 'the first goes on');
  });

  t.test('FENCE-3: after a take-over the first can write and read nothing more', async (t) => {
    const { store, make } = await opened(t);
    await store.flush([record('a', { ms: 1 })]);
    const second = make();
    t.teardown(() => second.close());
    t.match(await second.open(TAKE_OVER), { epoch: 2 });
    await second.flush([record('b')]);
    await fencedOff(t, store);
    t.same(sorted(await recovered(second)), plain([record('a', { ms: 1 }), record('b')]));
    await second.probe();
    await store.close();
    const third = make();
    t.teardown(() => third.close());
    await rejects(t, third.open(FIRST), 'LOCKED');
  });
}

/** The first call may still meet the connection that the take-over has cut. */
async function fencedOff(t: Test, store: Store): Promise<void> {
  const write = (): Promise<void> => store.flush([record('a', { ms: 9 })]);
  await write().catch((error) => t.match(error, { kind: /UNAVAILABLE|FENCED/ }));
  await rejects(t, write(), 'FENCED');
  await rejects(t, store.probe(), 'FENCED');
  await rejects(t, store.bury(record('a'), 'refused'), 'FENCED');
  const mark = { partition: 0, sequence: 1, ms: 1, counter: 0, node: 0 };
  await rejects(t, store.raiseCollected([mark]), 'FENCED');
  await rejects(t, store.forgetCollected(1), 'FENCED');
  const many = Array.from({ length: LARGE }, (_, i) => record(`k${i}`));
  await rejects(t, store.flush(sorted(many)), 'FENCED');
  await rejects(t, store.keepBases([{ partition: 0, sequence: 1 }]), 'FENCED');
}

/** Two writes of one key that differ in one part of the order, the older first. */
function orderedPairs(): [string, StoredRecord, StoredRecord][] {
  const pair = (
    name: string,
    older: Partial<StoredRecord>,
    newer: Partial<StoredRecord>,
  ): [string, StoredRecord, StoredRecord] => [name, record(name, older), record(name, newer)];
  const noValue = { value: text('') };
  return [
    pair('ms', { ms: 255, counter: 9 }, { ms: 256, counter: 1 }),
    pair('counter', { counter: 9, node: 7 }, { counter: 10, node: 1 }),
    pair('node', { node: 9, ...{ value: text('z') } }, { node: 10, ...{ value: text('a') } }),
    pair('deleted', { value: text('z') }, { deleted: true, kind: 0, ...noValue }),
    pair('longer value', { value: text('a'), kind: 2 }, { value: text('aa'), kind: 1 }),
    pair('larger byte', { value: Uint8Array.of(0x7f, 0xff) }, { value: Uint8Array.of(0x80) }),
    pair('kind', { kind: 1, expiresAt: 9 }, { kind: 2 }),
    pair('expiry', { expiresAt: 9 }, { expiresAt: 10 }),
    pair('any expiry', { expiresAt: 0 }, { expiresAt: 1 }),
  ];
}

/** By counter or value, where nothing else differs. */
function isLater(left: StoredRecord, right: StoredRecord): boolean {
  if (left.counter !== right.counter) return left.counter > right.counter;
  return Buffer.compare(left.value, right.value) > 0;
}

/** The newest of each key. */
async function recovered(store: Store): Promise<StoredRecord[]> {
  const newest = new Map<string, StoredRecord>();
  await store.recover(async (records) => {
    for (const record of plain(records)) {
      const id = `${record.map}\0${record.key}`;
      const known = newest.get(id);
      if (known === undefined || orderOf(known) < orderOf(record)) newest.set(id, record);
    }
  });
  return [...newest.values()];
}

/** A text that compares as records do. */
function orderOf({ ms, counter, node, deleted, value, kind, expiresAt }: StoredRecord): string {
  const wide = (number: number): string => String(number).padStart(16, '0');
  const bytes = Buffer.from(value).toString('hex');
  const numbers = [ms, counter, node, Number(deleted)].map(wide).join();
  return `${numbers},${bytes},${wide(kind)},${wide(expiresAt)}`;
}

function byPartition(left: { partition: number }, right: { partition: number }): number {
  return left.partition - right.partition;
}

async function recordOf(store: Store, key: string): Promise<StoredRecord[]> {
  return (await recovered(store)).filter((each) => each.key === key);
}

/** Values as one class, so that they compare by content. */
function plain(records: readonly StoredRecord[]): StoredRecord[] {
  return records.map((each) => ({ ...each, value: Uint8Array.from(each.value) }));
}
