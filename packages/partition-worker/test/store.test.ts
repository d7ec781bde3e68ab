import { partitionOf } from '@tidewire/core';
import { RecordLayout } from '@tidewire/core/threads';
import t from 'tap';
import { FULL, RecordStore, SCAN_END } from '#lib/store/record-store.js';
import { checkStore } from './store-check.js';
import {
  describe,
  findKey,
  imageOf,
  type Key,
  putKey,
  stateAfter,
  stateOf,
  type Write,
} from './store-fixture.js';

const key: Key = { hash: 652_885_968, mapId: 0, length: 3, words: Int32Array.of(0x6f6f66) };
const partition = partitionOf(key.hash);
const write: Write = {
  ms: 1_700_000_000_000,
  counter: 5,
  node: 9,
  kind: 1,
  length: 10,
  seed: 100,
  expiresAt: 1_800_000_000_000,
  isTombstone: false,
};

function newStore(): RecordStore {
  return new RecordStore(new SharedArrayBuffer(8 << 20));
}

t.test('STORE-4: restore keeps the newer of two images, whichever comes first', (t) => {
  const newer: Partial<Write>[] = [
    { ms: write.ms + 1, counter: 0 },
    { counter: 6, node: 0 },
    { node: 10, length: 0 },
    { isTombstone: true },
    { seed: 101, kind: 0 },
    { length: 12, kind: 0 },
    { kind: 2, expiresAt: 0 },
    { expiresAt: write.expiresAt + 2 ** 32 },
  ];
  for (const change of newer) {
    const older = imageOf(key, write, 7);
    const winner = imageOf(key, { ...write, ...change }, 8);
    for (const images of [
      [older, winner],
      [winner, older],
    ]) {
      const store = newStore();
      for (const image of images) store.restore(image, 0);
      t.equal(stateOf(store, key), describe(winner, 0), JSON.stringify(change));
      t.equal(store.sequence(partition), 8, 'the sequence is the highest of both');
      checkStore(store);
    }
  }
  t.end();
});

t.test('STORE-5: a tombstone is a record without a value', (t) => {
  const store = newStore();
  putKey(store, key, write, 40);
  putKey(store, key, { ...write, isTombstone: true }, 80);
  t.equal(stateOf(store, key), stateAfter(key, { ...write, isTombstone: true }, 2));
  t.equal(store.recordsLive, 1);
  t.end();
});

t.test('STORE-6: an index hash finds every record that has it', (t) => {
  const store = newStore();
  const twin: Key = { ...key, words: Int32Array.of(0x6f6f67) };
  const other: Key = { ...key, mapId: 3 };
  for (const each of [key, twin, other]) putKey(store, each, write, 40);
  const found: number[] = [];
  const indexHash = store.indexHashOf(key.hash, key.mapId);
  store.recordsWithHash(partition, indexHash, (record) => found.push(record));
  t.same(found.sort(), [findKey(store, key), findKey(store, twin)].sort());
  t.equal(store.journalEntry(partition, 1), indexHash);
  t.equal(store.recordAt(partition, 2), findKey(store, twin));
  t.end();
});

t.test('STORE-7: the journal is complete only above what recovery restored', (t) => {
  const store = newStore();
  store.restore(imageOf(key, write, 20), 0);
  store.startPartition(partition, 30);
  putKey(store, key, { ...write, ms: write.ms + 1 }, 40);
  const seen: number[] = [];
  const visit = (record: number): void => {
    seen.push(RecordLayout.sequenceOf(store.words, record));
  };
  t.notOk(store.changesSince(partition, 19, visit));
  t.notOk(store.changesSince(partition, 29, visit));
  t.ok(store.changesSince(partition, 30, visit));
  t.same(seen, [31]);
  t.end();
});

t.test('STORE-8: a scan in slices misses and repeats nothing while segments split', (t) => {
  const store = newStore();
  const keyAt = (i: number): Key => ({ ...key, mapId: i & 0xffff, words: Int32Array.of(i) });
  for (let i = 0; i < 2000; i++) putKey(store, keyAt(i), { ...write, seed: i }, 40);
  const seen: number[] = [];
  let added = 2000;
  for (let cursor = 0; cursor < SCAN_END; ) {
    cursor = store.scanSlice(partition, cursor, (record) => {
      const i = store.words[RecordLayout.keyIndex(record)];
      if (i < 2000) seen.push(i);
    });
    for (let i = 0; i < 1500; i++, added++) putKey(store, keyAt(added), write, 40);
  }
  t.same(
    seen.sort((left, right) => left - right),
    [...Array(2000).keys()],
  );
  checkStore(store);
  t.end();
});

t.test('STORE-9: a touched group changes nothing, wherever its hashes lie', (t) => {
  const store = newStore();
  putKey(store, key, write, 40);
  const before = store.words.slice();
  for (let i = 0; i < 40; i++) store.touch(i, i === 0 ? key.hash : Math.imul(i, 0x9e3779b1));
  store.touchRecords();
  t.ok(store.words.every((word, i) => word === before[i]));
  t.end();
});

t.test(
  'STORE-10: a full arena refuses, keeps what it has, and takes writes after a remove',
  (t) => {
    const store = new RecordStore(new SharedArrayBuffer(8 << 20));
    const keyAt = (i: number): Key => ({ ...key, words: Int32Array.of(i) });
    const long = { ...write, length: 30_000 };
    let count = 0;
    while (putKey(store, keyAt(count), long, 40) !== FULL) count++;
    t.ok(count > 50);
    const states = Array.from({ length: count }, (_, i) => stateOf(store, keyAt(i)));
    t.equal(putKey(store, keyAt(count), long, 80), FULL);
    t.same(
      Array.from({ length: count }, (_, i) => stateOf(store, keyAt(i))),
      states,
    );
    const record = findKey(store, keyAt(0));
    store.remove(record);
    t.not(putKey(store, keyAt(count), long, 120), FULL, 'room that a remove has made');
    checkStore(store);
    t.end();
  },
);

t.test(
  'STORE-11: a store that refuses new keys goes on to overwrite and to remove what it has',
  (t) => {
    const store = new RecordStore(new SharedArrayBuffer(16 << 20));
    const keyAt = (i: number): Key => ({ ...key, words: Int32Array.of(i) });
    const short = { ...write, length: 300 };
    let count = 0;
    while (count < 900 && putKey(store, keyAt(count), short, 40) !== FULL) count++;
    const filler = { ...write, length: 30_000 };
    let fillers = 0;
    while (putKey(store, { ...keyAt(fillers), mapId: 1 }, filler, 40) !== FULL) fillers++;
    while (putKey(store, { ...keyAt(count), mapId: 2 }, short, 40) !== FULL) count++;
    let refused = 0;
    for (let i = 0; i < 900; i++)
      if (putKey(store, keyAt(i), { ...short, seed: i }, 80) === FULL) refused++;
    for (let i = 0; i < 900; i++)
      if (putKey(store, keyAt(i), { ...short, isTombstone: true }, 120) === FULL) refused++;
    t.equal(refused, 0);
    checkStore(store);
    t.end();
  },
);
