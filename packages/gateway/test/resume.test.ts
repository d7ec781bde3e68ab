import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, hashOf, PARTITIONS, partitionOf } from '@tidewire/core';
import { CATCH_UP_RESUME, CATCH_UP_SNAPSHOT } from '@tidewire/core/threads';
import { CursorSchema, SliceKind, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { resumeKey, resumptionOf } from '#lib/subscription/resume.js';
import { STORE, TestBench } from './bench.js';
import { put, remove, write } from './operations.js';
import { ReferenceClient } from './reference-client.js';
import { slicesOf, valuesOf } from './subscribers.js';

type Cursor = MessageInitShape<typeof CursorSchema>;
const partitionOfKey = (key: string): number => partitionOf(hashOf(new TextEncoder().encode(key)));
const BASE = new Float64Array(PARTITIONS).fill(100);
const START = { epoch: 42, store: STORE, bases: new Map([[41, BASE]]) };
const TOLD = new Float64Array(PARTITIONS).fill(10);
const resume = (cursor: Cursor) =>
  resumptionOf(create(CursorSchema, { store: STORE, epoch: 42n, ...cursor }), START, TOLD);
const planOf = (cursor: Cursor) => {
  const resumption = resume(cursor);
  if (resumption.refusal !== undefined) throw new Error(resumption.refusal);
  return resumption.plan;
};

t.test('SUB-29: a cursor that means nothing here is refused by what and where', async (t) => {
  t.match(resumptionOf(undefined, START, TOLD).refusal, /no cursor/);
  t.match(resume({ store: 1n }).refusal, /another store/);
  t.match(resume({ epoch: 43n }).refusal, /epoch 43; this is 42/);
  t.match(
    resume({ delivered: [{}, { partition: 271, sequence: 1n }] }).refusal,
    /delivered\[1\]: there is no partition 271/,
  );
  t.match(
    resume({ seen: [{ partition: 3, sequence: 2n ** 48n }] }).refusal,
    /seen\[0\]: there is no sequence 281474976710656/,
  );
});

t.test('SUB-30: in its own epoch a cursor holds, whatever was seen', async (t) => {
  const plan = planOf({
    delivered: [{ partition: 5, sequence: 7n }],
    seen: [{ partition: 5, sequence: 9n }],
  });
  t.match([plan.modeOf(5), plan.cursorOf(5)], [CATCH_UP_RESUME, 7]);
  t.match([plan.modeOf(6), plan.cursorOf(6)], [CATCH_UP_RESUME, 0]);
});

t.test('SUB-31: of an earlier epoch it holds where nothing lost was seen', async (t) => {
  const plan = planOf({
    epoch: 41n,
    delivered: [
      { partition: 1, sequence: 100n },
      { partition: 2, sequence: 101n },
      { partition: 3, sequence: 5n },
    ],
    seen: [{ partition: 3, sequence: 101n }],
  });
  t.same(
    [0, 1, 2, 3].map((partition) => plan.modeOf(partition)),
    [CATCH_UP_RESUME, CATCH_UP_RESUME, CATCH_UP_SNAPSHOT, CATCH_UP_SNAPSHOT],
  );
  t.equal(plan.cursorOf(1), 100);
});

t.test('SUB-32: of an epoch that is not kept any more nothing holds', async (t) => {
  const plan = planOf({ epoch: 40n, delivered: [{ partition: 1, sequence: 1n }] });
  for (let p = 0; p < PARTITIONS; p++)
    if (plan.modeOf(p) !== CATCH_UP_SNAPSHOT) t.fail(`partition ${p}`);
  t.pass();
});

t.test('SUB-33: a key holds by its own sequence', async (t) => {
  const earlier = resume({ epoch: 41n });
  if (earlier.refusal !== undefined) throw new Error(earlier.refusal);
  const known = resumeKey(earlier, 5, 100);
  t.match([known.modeOf(5), known.cursorOf(5)], [CATCH_UP_RESUME, 100]);
  t.equal(resumeKey(earlier, 5, 101).modeOf(5), CATCH_UP_SNAPSHOT);
});

t.test('SUB-34: Hello is taken whatever its cursor; who resumes is told why not', async (t) => {
  const bench = new TestBench();
  const client = bench.stranger();
  const cursor = { store: STORE + 1n, epoch: 42n };
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, cursor } });
  t.equal(client.last('welcome')?.epoch, 42n);
  const value = { subscriptionId: 3, map: 'users', start: StartFrom.RESUME };
  client.say({ case: 'subscribe', value });
  t.match(client.last('error'), { code: Code.INVALID, subscriptionId: 3, detail: /store/ });
  client.say({ case: 'subscribe', value: { ...value, start: StartFrom.SNAPSHOT } });
  bench.settle();
  t.equal(client.last('subscribed')?.subscriptionId, 3);
});

t.test('SUB-35: of its own epoch a cursor lies nowhere above what was told', async (t) => {
  const delivered = [
    { partition: 5, sequence: 10n },
    { partition: 6, sequence: 11n },
  ];
  t.match(resume({ delivered }).refusal, /delivered\[1\]: partition 6 has told of 10, not of 11/);
  t.equal(resume({ delivered, epoch: 41n }).refusal, undefined, 'of another it may');
  t.equal(resume({ seen: delivered }).refusal, undefined, 'events come before Progress');
});

t.test('SUB-35: a forged cursor registers nothing and says what and where', async (t) => {
  const bench = new TestBench({ workers: 2 });
  write(bench.client(), put('a', '1'));
  bench.settle();
  bench.second();
  const client = bench.stranger();
  const delivered = [{ partition: partitionOfKey('a'), sequence: 9n }];
  const cursor = { store: STORE, epoch: 42n, delivered };
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, cursor } });
  const value = { subscriptionId: 3, map: 'users', start: StartFrom.RESUME };
  client.say({ case: 'subscribe', value });
  bench.settle();
  const detail = new RegExp(`delivered\\[0\\]: partition ${partitionOfKey('a')} has told of 1`);
  t.match(client.last('error'), { code: Code.INVALID, subscriptionId: 3, detail });
  t.equal(client.last('subscribed'), undefined);
  t.match(bench.gateway.subscriptionCounts, { topics: 0, catchingUp: 0 });
  t.equal(client.closedWith, undefined);
});

t.test(
  'SUB-36: after a start that lost a change its partition alone is replaced, the rest goes on',
  async (t) => {
    const before = new TestBench({ workers: 2 });
    const kept = ['a', 'b', 'c', 'd'].map((key) => put(key, 'kept'));
    const writer = before.client();
    write(writer, ...kept);
    const client = new ReferenceClient(before, 9);
    client.follow(1, { map: 'users', start: StartFrom.SNAPSHOT });
    client.follow(2, { map: 'users', key: 'a', start: StartFrom.SNAPSHOT });
    before.settle();
    before.second();
    write(writer, put('a', 'lost'));
    before.settle();
    t.equal(valuesOf(client, 1)['a'], 'lost');
    t.equal(valuesOf(client, 2)['a'], 'lost');
    client.disconnect();

    const base = new Float64Array(PARTITIONS);
    for (const key of ['a', 'b', 'c', 'd']) base[partitionOfKey(key)] = 1;
    const after = new TestBench({ workers: 2, epoch: 43, bases: new Map([[42, base]]) });
    write(after.client(), ...kept, put('b', 'new'));
    after.settle();
    after.second();
    client.connect(after);
    after.settle();
    t.same(valuesOf(client, 1), { a: 'kept', b: 'new', c: 'kept', d: 'kept' });
    t.same(valuesOf(client, 2), { a: 'kept' });
    const snapshots = slicesOf(client.connection)
      .filter(({ kind }) => kind === SliceKind.SNAPSHOT)
      .map(({ partition }) => partition);
    t.same([...new Set(snapshots)], [partitionOfKey('a')]);
  },
);

t.test(
  'SUB-50: what a snapshot showed by leaving it out has been seen: lost with the server, it comes back',
  async (t) => {
    const before = new TestBench();
    const kept = [put('a', 'kept'), put('b', 'kept')];
    const writer = before.client();
    write(writer, ...kept);
    const client = new ReferenceClient(before, 9);
    client.follow(1, { map: 'others', start: StartFrom.SNAPSHOT });
    before.settle();
    before.second();
    write(writer, remove('a'));
    before.settle();
    client.follow(2, { map: 'users', start: StartFrom.SNAPSHOT });
    before.settle();
    t.same(valuesOf(client, 2), { b: 'kept' });
    client.disconnect();

    const base = new Float64Array(PARTITIONS);
    for (const key of ['a', 'b']) base[partitionOfKey(key)] = 1;
    const after = new TestBench({ epoch: 43, bases: new Map([[42, base]]) });
    write(after.client(), ...kept);
    after.settle();
    after.second();
    client.connect(after);
    after.settle();
    t.same(valuesOf(client, 2), { a: 'kept', b: 'kept' });
  },
);
