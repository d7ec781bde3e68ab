import { STREAM_FORGED, STREAM_LAST } from '@tidewire/core/threads';
import { EventKind, type Slice, SliceKind } from '@tidewire/schemas';
import t from 'tap';
import { keysIn, type Said, StreamBench } from './stream-bench.js';
import { START_MS } from './worker-fixture.js';

const TOPIC = 3;
const STREAM = 9;
const PARTITION = 5;
const keys = keysIn(PARTITION, 3000);

type SliceSaid = Extract<Said, { kind: 'slice' }>;

function slicesOf(said: Said[]): SliceSaid[] {
  return said.filter((item) => item.kind === 'slice');
}

/** Kind and key of every event, in order. */
function eventsOf(slices: readonly Slice[]): string[] {
  return slices.flatMap(({ events }) => events.map(({ kind, key }) => `${EventKind[kind]} ${key}`));
}

t.test(
  'CATCH-1: a map is caught up with what changed after the cursor, as it stands',
  async (t) => {
    const bench = new StreamBench();
    bench.subscribe(TOPIC);
    bench.put(keys[0], 'one');
    bench.put(keys[1], 'one');
    bench.put(keys[2], 'one');
    bench.put(keys[1], 'two');
    bench.remove(keys[0]);
    bench.put(keys[3], 'expired', START_MS - 1);
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 2 }]);
    const [slice, ...rest] = slicesOf(bench.settle());
    t.equal(rest.length, 0);
    t.match(slice, { stream: STREAM, flags: STREAM_LAST, ended: [[PARTITION, 6]] });
    t.match(slice.slices, [
      { partition: PARTITION, kind: SliceKind.CHANGES, begins: true, ends: true, forgotten: [] },
    ]);
    t.same(eventsOf(slice.slices), [
      `PUT ${keys[2]}`,
      `PUT ${keys[1]}`,
      `REMOVE ${keys[0]}`,
      `REMOVE ${keys[3]}`,
    ]);
    t.equal(Buffer.from(slice.slices[0].events[1].value).toString(), 'two');
  },
);

t.test('CATCH-2: a SNAPSHOT holds all that stands and nothing else', async (t) => {
  const bench = new StreamBench();
  bench.subscribe(TOPIC);
  for (const key of keys.slice(0, 5)) bench.put(key, 'one');
  bench.remove(keys[0]);
  bench.put(keys[1], 'expired', START_MS);
  bench.listen();
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION }]);
  const [slice] = slicesOf(bench.settle());
  t.match(slice.slices, [{ kind: SliceKind.SNAPSHOT, begins: true, ends: true }]);
  t.same(
    eventsOf(slice.slices).sort(),
    keys
      .slice(2, 5)
      .map((key) => `PUT ${key}`)
      .sort(),
  );
});

t.test('CATCH-3: without entries all partitions of the worker are sent as SNAPSHOT', async (t) => {
  const bench = new StreamBench();
  bench.subscribe(TOPIC);
  bench.put(keys[0], 'one');
  bench.listen();
  bench.catchUp(STREAM, TOPIC, []);
  const said = slicesOf(bench.settle());
  const slices = said.flatMap(({ slices }) => slices);
  t.equal(slices.length, 271);
  t.ok(slices.every(({ kind, begins, ends }) => kind === SliceKind.SNAPSHOT && begins && ends));
  t.same(eventsOf(slices), [`PUT ${keys[0]}`]);
  t.equal(said.flatMap(({ ended }) => ended).length, 271);
  t.equal(said.at(-1)?.flags, STREAM_LAST);
});

t.test('CATCH-4: who has everything is sent nothing but the end', async (t) => {
  const bench = new StreamBench();
  bench.subscribe(TOPIC);
  bench.put(keys[0], 'one');
  bench.listen();
  bench.catchUp(STREAM, TOPIC, [{ partition: PARTITION, cursor: 1 }]);
  t.match(slicesOf(bench.settle()), [
    { flags: STREAM_LAST, bytes: 0, ended: [[PARTITION, 1]], slices: [] },
  ]);
});

t.test(
  'CATCH-5: a cursor above what its partition has reached ends the stream as forged',
  async (t) => {
    const bench = new StreamBench();
    bench.subscribe(TOPIC);
    bench.put(keys[0], 'one');
    bench.listen();
    bench.catchUp(STREAM, TOPIC, [
      { partition: 1, cursor: 0 },
      { partition: PARTITION, cursor: 2 },
    ]);
    t.match(slicesOf(bench.settle()), [{ flags: STREAM_FORGED, bytes: 0, ended: [], slices: [] }]);
    t.notOk(bench.streams.hasWork(), 'no stream runs');
  },
);
