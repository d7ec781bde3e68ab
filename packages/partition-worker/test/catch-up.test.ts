import { type Predicate, SLICE_BYTES, sipHash, VALUE_BYTES_MAX } from '@tidewire/core';
import { STREAM_LAST } from '@tidewire/core/threads';
import { EventKind, type Slice, SliceKind } from '@tidewire/schemas';
import t from 'tap';
import type { Said, SliceSaid } from './said.js';
import { keysIn, SALT, StreamBench } from './stream-bench.js';
import { START_MS } from './worker-fixture.js';

const TOPIC = 3;
const STREAM = 9;
const PARTITION = 5;
const OTHER_PARTITION = 6;
const keys = keysIn(PARTITION, 3000);
const where: Predicate = { kind: 'eq', field: { kind: 'value', steps: ['is'] }, literal: true };
const MATCHING = '{"is":true}';
const OTHER = '{"is":false}';

function benchOf(...journal: number[]): StreamBench {
  const bench = new StreamBench(...journal);
  bench.subscribe(TOPIC);
  return bench;
}

function slicesOf(said: readonly Said[]): SliceSaid[] {
  return said.filter((item) => item.kind === 'slice');
}

/** Kind and key of every event, in order. */
function eventsOf(said: readonly SliceSaid[]): string[] {
  return said
    .flatMap(({ slices }) => slices)
    .flatMap(({ events }) => events.map(({ kind, key }) => `${EventKind[kind]} ${key}`));
}

function kindsOf(said: readonly SliceSaid[]): string[] {
  return said
    .flatMap(({ slices }) => slices)
    .map(
      ({ kind, begins, ends }: Slice) =>
        `${SliceKind[kind]}${begins ? ' begins' : ''}${ends ? ' ends' : ''}`,
    );
}

function hashOfKey(key: string): bigint {
  const { low, high } = sipHash(Buffer.from(key), new Uint8Array(SALT.buffer));
  return (BigInt(high) << 32n) | BigInt(low);
}

t.test(
  'CATCH-1: a map is caught up with what changed after the cursor, as it stands',
  async (t) => {
    const bench = benchOf();
    bench.put(keys[0], 'one');
    bench.put(keys[1], 'one');
    bench.put(keys[2], 'one');
    bench.put(keys[1], 'two');
    bench.remove(keys[0]);
    bench.put(keys[3], 'expired', { expiresAt: START_MS - 1 });
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 2 }]);
    const said = slicesOf(bench.settle());
    t.match(said, [{ stream: STREAM, flags: STREAM_LAST, ended: [[PARTITION, 6]] }]);
    t.same(kindsOf(said), ['CHANGES begins ends']);
    t.same(eventsOf(said), [
      `PUT ${keys[2]}`,
      `PUT ${keys[1]}`,
      `REMOVE ${keys[0]}`,
      `REMOVE ${keys[3]}`,
    ]);
    t.equal(Buffer.from(said[0].slices[0].events[1].value).toString(), 'two');
  },
);

t.test('CATCH-2: a SNAPSHOT holds all that stands and nothing else', async (t) => {
  const bench = benchOf();
  for (const key of keys.slice(0, 5)) bench.put(key, 'one');
  bench.remove(keys[0]);
  bench.put(keys[1], 'expired', { expiresAt: START_MS });
  bench.listen();
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION }]);
  const said = slicesOf(bench.settle());
  t.same(kindsOf(said), ['SNAPSHOT begins ends']);
  const standing = keys.slice(2, 5).map((key) => `PUT ${key}`);
  t.same(eventsOf(said).toSorted(), standing.toSorted());
});

t.test('CATCH-3: without entries all partitions of the worker are sent as SNAPSHOT', async (t) => {
  const bench = benchOf();
  bench.put(keys[0], 'one');
  bench.listen();
  bench.catchUp(STREAM, TOPIC, []);
  const said = slicesOf(bench.settle());
  t.same(kindsOf(said), Array(271).fill('SNAPSHOT begins ends'));
  t.same(eventsOf(said), [`PUT ${keys[0]}`]);
  t.equal(said.flatMap(({ ended }) => ended).length, 271);
  t.equal(said.at(-1)?.flags, STREAM_LAST);
});

t.test('CATCH-4: who has everything is sent nothing but the end', async (t) => {
  const bench = benchOf();
  bench.put(keys[0], 'one');
  bench.listen();
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 1 }]);
  const end = { flags: STREAM_LAST, bytes: 0, ended: [[PARTITION, 1]], slices: [] };
  t.match(slicesOf(bench.settle()), [end]);
});

t.test(
  'CATCH-5: a cursor above what its partition has reached gets a SNAPSHOT of it',
  async (t) => {
    const bench = benchOf();
    bench.put(keys[0], 'one');
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [
      { partition: OTHER_PARTITION, cursor: 0 },
      { partition: PARTITION, cursor: 2 },
    ]);
    const slices = slicesOf(bench.settle()).flatMap((said) => said.slices);
    const kind = SliceKind.SNAPSHOT;
    t.match(slices, [{ partition: PARTITION, kind, begins: true, ends: true }]);
    t.equal(slices[0].events.length, 1);
  },
);

t.test(
  'CATCH-6: where more has changed than the journal holds the partition is scanned',
  async (t) => {
    const bench = benchOf(16);
    for (const key of keys.slice(0, 100)) bench.put(key, 'one');
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 60 }]);
    const said = slicesOf(bench.settle());
    t.same(kindsOf(said), ['CHANGES begins ends'], 'no less than a journal would tell');
    const changed = keys.slice(60, 100).map((key) => `PUT ${key}`);
    t.same(eventsOf(said).toSorted(), changed.toSorted());
  },
);

t.test('CATCH-7: a journal overrun midway becomes a scan', async (t) => {
  const bench = benchOf(16);
  for (const key of keys.slice(0, 20)) bench.put(key, 'one');
  bench.listen();
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 8 }], 1);
  const first = slicesOf(bench.settle());
  t.same(eventsOf(first), [`PUT ${keys[8]}`], 'one record on a credit of one byte');
  for (const key of keys.slice(15, 60)) bench.put(key, 'two');
  bench.listen();
  bench.streams.addCredit(STREAM, 1 << 20);
  const rest = slicesOf(bench.settle());
  t.same([...kindsOf(first), ...kindsOf(rest)], ['CHANGES begins', 'CHANGES ends']);
  const changed = keys.slice(9, 60).map((key) => `PUT ${key}`);
  t.same(eventsOf(rest).toSorted(), changed.toSorted());
  t.match(rest.at(-1), { flags: STREAM_LAST, ended: [[PARTITION, 65]] });
});

t.test(
  'CATCH-8: of a key that does not match a predicate’s subscriber is sent a hash only',
  async (t) => {
    const bench = new StreamBench();
    bench.subscribe(TOPIC, { where });
    bench.put(keys[0], MATCHING);
    bench.put(keys[1], OTHER);
    bench.put(keys[2], MATCHING);
    bench.remove(keys[2]);
    bench.put(keys[3], MATCHING, { expiresAt: START_MS });
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 0 }]);
    const said = slicesOf(bench.settle());
    t.same(eventsOf(said), [`PUT ${keys[0]}`]);
    t.same(said[0].slices[0].forgotten, [keys[1], keys[2], keys[3]].map(hashOfKey));
    bench.catchUp(STREAM + 1, TOPIC, [{ partition: PARTITION }]);
    const snapshot = slicesOf(bench.settle());
    t.same(eventsOf(snapshot), [`PUT ${keys[0]}`]);
    t.same(snapshot[0].slices[0].forgotten, [], 'a SNAPSHOT replaces: nothing need be forgotten');
  },
);

t.test(
  'CATCH-25: whoever may not see all is sent what stands in place of changes, and no hash',
  async (t) => {
    const bench = new StreamBench();
    bench.subscribe(TOPIC, { where });
    for (const key of keys.slice(0, 4)) bench.put(key, MATCHING);
    bench.put(keys[1], OTHER);
    bench.remove(keys[2]);
    bench.put(keys[9], OTHER);
    bench.put(keysIn(OTHER_PARTITION, 1)[0], MATCHING);
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [
      { partition: PARTITION, cursor: 4, isRenewed: true },
      { partition: OTHER_PARTITION, cursor: 1, isRenewed: true },
    ]);
    const said = slicesOf(bench.settle());
    t.same(kindsOf(said), ['RENEWAL begins ends'], 'and nothing where nothing has changed');
    t.same(eventsOf(said).toSorted(), [`PUT ${keys[0]}`, `PUT ${keys[3]}`].toSorted());
    t.same(said[0].slices[0].forgotten, []);
    t.match(said.at(-1), {
      flags: STREAM_LAST,
      ended: [
        [PARTITION, 7],
        [OTHER_PARTITION, 1],
      ],
    });
    bench.catchUp(STREAM + 1, TOPIC, [{ partition: PARTITION, cursor: 8, isRenewed: true }]);
    t.same(kindsOf(slicesOf(bench.settle())), ['SNAPSHOT begins ends'], 'of another history');
  },
);

t.test(
  'CATCH-9: a record that stopped matching while away and changes during the catch-up is forgotten',
  async (t) => {
    const bench = new StreamBench();
    bench.subscribe(TOPIC, { where });
    bench.put(keys[0], MATCHING); // held
    bench.put(keys[1], OTHER);
    bench.put(keys[0], OTHER); // missed
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 1 }], 1);
    const first = slicesOf(bench.settle());
    t.same(first[0].slices[0].forgotten, [hashOfKey(keys[1])]);
    bench.put(keys[0], '{"is":"other still"}');
    t.same(bench.listen(), [], 'live it is nothing: it did not match before and does not now');
    bench.streams.addCredit(STREAM, 1000);
    const [rest] = slicesOf(bench.settle());
    t.match(rest, { flags: STREAM_LAST, ended: [[PARTITION, 4]] });
    t.same(rest.slices[0].forgotten, [hashOfKey(keys[0])]);
  },
);

t.test('CATCH-10: a cursor below a collected tombstone gets a SNAPSHOT', async (t) => {
  const bench = benchOf();
  bench.put(keys[0], 'one');
  bench.put(keys[1], 'one');
  bench.remove(keys[0]);
  bench.listen();
  bench.collect(keys[0]);
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 2 }]);
  const said = slicesOf(bench.settle());
  t.same(kindsOf(said), ['SNAPSHOT begins ends']);
  t.same(eventsOf(said), [`PUT ${keys[1]}`]);
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 3 }]);
  t.match(slicesOf(bench.settle()), [{ flags: STREAM_LAST, slices: [] }], 'not one that saw it');
});

t.test(
  'CATCH-11: a tombstone collected during the catch-up turns it into a SNAPSHOT',
  async (t) => {
    const bench = benchOf();
    for (const key of keys.slice(0, 3)) bench.put(key, 'one');
    bench.remove(keys[2]);
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 1 }], 1);
    const first = slicesOf(bench.settle());
    t.same(eventsOf(first), [`PUT ${keys[1]}`]);
    bench.collect(keys[2]);
    bench.streams.addCredit(STREAM, 1000);
    const rest = slicesOf(bench.settle());
    t.same([...kindsOf(first), ...kindsOf(rest)], ['CHANGES begins', 'SNAPSHOT begins ends']);
    t.same(eventsOf(rest).toSorted(), [`PUT ${keys[0]}`, `PUT ${keys[1]}`].toSorted());
    t.match(rest.at(-1), { flags: STREAM_LAST, ended: [[PARTITION, 4]] });
  },
);

t.test(
  'CATCH-12: a key is sent its state unless it has the sequence that its subscriber holds',
  async (t) => {
    const bench = new StreamBench();
    const ask = (i: number, cursor?: number): SliceSaid[] => {
      bench.subscribe(TOPIC + i, { key: keys[i] });
      bench.catchUp(STREAM, TOPIC + i, [{ partition: PARTITION, cursor }]);
      return slicesOf(bench.settle());
    };
    const [put, removed, expired, never] = [0, 1, 2, 3];
    bench.put(keys[put], 'one');
    bench.put(keys[removed], 'one');
    bench.remove(keys[removed]);
    bench.put(keys[expired], 'one', { expiresAt: START_MS });
    bench.listen();
    const nothing = [{ flags: STREAM_LAST, bytes: 0, ended: [[PARTITION, 4]], slices: [] }];
    t.match(ask(put, 1), nothing, 'unchanged');
    t.match(ask(never, 0), nothing, 'there was none and is none');
    t.match(ask(removed, 3), nothing, 'known to be removed');
    for (const [i, cursor, events] of [
      [put, 0, [`PUT ${keys[put]}`]],
      [put, 9, [`PUT ${keys[put]}`]], // of an earlier life of the store
      [put, undefined, [`PUT ${keys[put]}`]],
      [removed, 2, [`REMOVE ${keys[removed]}`]],
      [expired, 0, [`REMOVE ${keys[expired]}`]],
      [never, 7, []],
      [never, undefined, []],
    ] as const) {
      const said = ask(i, cursor);
      t.same(kindsOf(said), ['SNAPSHOT begins ends']);
      t.same(eventsOf(said), events);
      t.match(said, [{ flags: STREAM_LAST, ended: [[PARTITION, 4]] }]);
    }
    t.notOk(bench.streams.hasWork(), 'it ends at once');
  },
);

t.test(
  'CATCH-13: a slice record has at most SLICE_BYTES, or one record that is longer',
  async (t) => {
    const bench = benchOf();
    const large = 'x'.repeat(VALUE_BYTES_MAX);
    for (const key of keys.slice(0, 400)) bench.put(key, 'x'.repeat(300));
    bench.put(keys[400], large);
    for (const key of keys.slice(401, 420)) bench.put(key, 'small');
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 0 }]);
    const said = slicesOf(bench.settle());
    t.equal(eventsOf(said).length, 420);
    const longer = said.filter(({ bytes }) => bytes > SLICE_BYTES);
    t.same(eventsOf(longer), [`PUT ${keys[400]}`]);
    t.ok(said[0].bytes > SLICE_BYTES - 400, 'a slice is filled');
  },
);

t.test('CATCH-14: a stream sends on credit, beyond it by one record at most', async (t) => {
  const bench = benchOf();
  for (const key of keys.slice(0, 100)) bench.put(key, 'x'.repeat(100));
  bench.listen();
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 0 }], 0);
  t.same(bench.settle(), [], 'without credit nothing');
  let given = 0;
  let bytes = 0;
  let events = 0;
  for (let isLast = false; !isLast && given < 100_000; given += 500) {
    bench.streams.addCredit(STREAM, 500);
    for (const said of slicesOf(bench.settle())) {
      bytes += said.bytes;
      events += eventsOf([said]).length;
      isLast = said.flags === STREAM_LAST;
      if (!isLast && bytes > given + 700) t.fail(`${bytes} bytes sent`);
    }
  }
  t.equal(events, 100);
  bench.streams.addCredit(STREAM, 500);
  t.same(bench.settle(), [], 'credit for a stream that has ended');
});

t.test('CATCH-15: streams take turns', async (t) => {
  const bench = benchOf();
  for (const key of keys.slice(0, 1000)) bench.put(key, 'x'.repeat(300));
  bench.listen();
  for (const stream of [1, 2, 3]) bench.catchUp(stream, TOPIC, [{ partition: PARTITION }]);
  const order = slicesOf(bench.settle()).map(({ stream }) => stream);
  t.same(order.slice(0, 9), [1, 2, 3, 1, 2, 3, 1, 2, 3]);
});

t.test(
  'CATCH-16: a cancelled stream sends no more, and one of an unknown topic never begins',
  async (t) => {
    const bench = benchOf();
    for (const key of keys.slice(0, 1000)) bench.put(key, 'x'.repeat(300));
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION }]);
    t.equal(bench.streams.doWork(), 1);
    bench.streams.cancel(STREAM);
    t.equal(bench.streams.doWork(), 0);
    bench.streams.cancel(STREAM);
    bench.catchUp(STREAM, TOPIC + 1, [{ partition: PARTITION }]);
    t.equal(bench.streams.doWork(), 0);
  },
);

t.test('CATCH-17: streams leave room for the answer of an operation', async (t) => {
  const bench = benchOf();
  for (const key of keys.slice(0, 30)) {
    bench.put(key, 'x'.repeat(VALUE_BYTES_MAX));
    bench.listen();
  }
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION }]);
  let steps = 0;
  while (bench.streams.doWork() > 0) steps++;
  t.ok(steps > 3 && steps < 30, `${steps} steps before the ring is full`);
  bench.put(keys[40], 'x'.repeat(VALUE_BYTES_MAX)); // throws without room
  t.equal(slicesOf(bench.listen()).length, steps);
  t.equal(slicesOf(bench.settle()).at(-1)?.flags, STREAM_LAST, 'it goes on when there is room');
});

t.test(
  'CATCH-18: a segment of the index replaced midway costs repeats, never a record',
  async (t) => {
    const standing = keys.slice(0, 820); // as many as a segment takes: few lie in the slot of their hash
    const missed = new Set<string>();
    let repeats = 0;
    for (let credit = 500; credit < 25_000; credit += 500) {
      const bench = benchOf();
      for (const key of standing) bench.put(key, 'one');
      bench.listen();
      bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION }], credit);
      const said = slicesOf(bench.settle());
      for (const key of keys.slice(820, 900)) bench.put(key, 'new'); // splits it
      bench.listen();
      bench.streams.addCredit(STREAM, 1 << 20);
      const sent = eventsOf([...said, ...slicesOf(bench.settle())]);
      const sentOnce = new Set(sent);
      repeats += sent.length - sentOnce.size;
      for (const key of standing) if (!sentOnce.has(`PUT ${key}`)) missed.add(key);
    }
    t.same([...missed], []);
    t.ok(repeats > 0, 'the segment began anew');
  },
);

t.test(
  'CATCH-21: a SNAPSHOT begins with its scan: what is told live from then on belongs to it',
  async (t) => {
    const bench = new StreamBench();
    bench.subscribe(TOPIC, { where });
    for (const key of keys.slice(0, 400)) bench.put(key, OTHER);
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION }]);
    t.equal(bench.streams.doWork(), 1, 'a turn that looks at many and finds nothing');
    t.same(kindsOf(slicesOf(bench.listen())), ['SNAPSHOT begins']);
    t.same(kindsOf(slicesOf(bench.settle())), ['SNAPSHOT ends']);
  },
);
