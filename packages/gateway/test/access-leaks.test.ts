import { create, toBinary } from '@bufbuild/protobuf';
import { Code, RESUME_TOKEN_BYTES, SESSION_DRAINED_BYTES } from '@tidewire/core';
import {
  EventKind,
  OperationKind,
  RecordNamesSchema,
  type Result,
  StartFrom,
} from '@tidewire/schemas';
import t, { type Test } from 'tap';
import { ALL_RIGHTS, PolicedBench, ROOT, type SpiedClient } from './policed-bench.js';

const text = new TextEncoder();
const MAP = 'notes';
const SECRET_KEY = 'hidden-key';
const SECRET_VALUE = 'hidden-value';
/** Everybody may do everything with records of their own, and with no others. */
const OWN = { maps: ['*'], rights: ALL_RIGHTS, where: `owner = '\${sub}'` };

const owned = (owner: string, content: string): Uint8Array<ArrayBuffer> =>
  text.encode(JSON.stringify({ owner, content }));
const put = (key: string, owner: string, content: string) => ({
  kind: OperationKind.PUT,
  map: MAP,
  key,
  value: owned(owner, content),
});

interface World {
  readonly bench: PolicedBench;
  readonly root: SpiedClient;
}

async function world(): Promise<World> {
  const bench = new PolicedBench([OWN], { workers: 2 });
  const root = await bench.member(ROOT);
  for (let i = 0; i < 20; i++) {
    bench.done(root, put(`${SECRET_KEY}-${i}`, 'bob', `${SECRET_VALUE}-${i}`));
    bench.done(root, put(`open-${i}`, 'ann', `shown-${i}`));
  }
  return { bench, root };
}

function watch(client: SpiedClient, bench: PolicedBench, start: StartFrom): void {
  const ask = (subscriptionId: number, more: object) =>
    client.say({ case: 'subscribe', value: { subscriptionId, map: MAP, start, ...more } });
  ask(1, {});
  ask(2, { key: `${SECRET_KEY}-1` });
  ask(3, { key: 'open-1' });
  ask(4, { maxHz: 10 });
  bench.settle();
}

/** Everything that one can do to a record. */
function change(
  bench: PolicedBench,
  by: SpiedClient,
  key: string,
  owner: string,
  word: string,
): void {
  bench.done(by, put(key, owner, word));
  bench.done(by, { kind: OperationKind.MERGE, map: MAP, key, value: text.encode('{"n":1}') });
  bench.done(by, { kind: OperationKind.REMOVE, map: MAP, key });
  bench.done(by, put(key, owner, word));
}

function keepsSecrets(t: Test, client: SpiedClient): void {
  t.ok(client.heard.length > 0, 'there is something to search');
  t.notOk(client.hasHeard(SECRET_KEY), 'no hidden key was sent');
  t.notOk(client.hasHeard(SECRET_VALUE), 'no hidden value was sent');
}

t.test(
  'ACCESS-11: nothing of a hidden record is sent: live, in snapshots, queries and answers',
  async (t) => {
    const { bench, root } = await world();
    const ann = await bench.member({ sub: 'ann' });
    watch(ann, bench, StartFrom.SNAPSHOT);
    for (let i = 0; i < 20; i++) {
      change(bench, root, `${SECRET_KEY}-${i}`, 'bob', `${SECRET_VALUE}-again`);
      change(bench, root, `open-${i}`, 'ann', 'shown again');
    }
    for (const options of [{}, { limit: 50 }, { countOnly: true }])
      ann.say({ case: 'query', value: { requestId: 1, map: MAP, ...options } });
    bench.second();
    t.ok(ann.hasHeard('open-7') && ann.hasHeard('shown again'), 'its own records were');
    const key = `${SECRET_KEY}-3`;
    const stale = { stamp: 1n << 16n, node: 9, returnWinner: true };
    const deeds = [
      { kind: OperationKind.GET, map: MAP, key },
      put(key, 'ann', 'mine now'),
      { ...put(key, 'ann', 'mine now'), ...stale },
      { ...put(key, 'ann', 'mine now'), ifAbsent: true },
      { ...put(key, 'ann', 'mine now'), ifStamp: 1n << 16n, ifNode: 9 },
      { ...put(key, 'ann', 'mine now'), ifAbsent: true, firstMemory: 41n },
      { kind: OperationKind.MERGE, map: MAP, key, value: owned('ann', 'mine now') },
      { kind: OperationKind.MERGE, map: MAP, key, value: text.encode('{}'), firstMemory: 41n },
      { kind: OperationKind.REMOVE, map: MAP, key },
      { kind: OperationKind.REMOVE, map: MAP, key, ...stale },
    ];
    for (const deed of deeds) {
      const result = bench.done(ann, deed);
      t.match(result, { stamp: 0n, sequence: 0n, node: 0, value: new Uint8Array(0) });
      if (deed.kind !== OperationKind.GET && deed !== deeds[7])
        t.ok([Code.FORBIDDEN, Code.UNCERTAIN].includes(result.refusal), Code[result.refusal]);
    }
    t.match(JSON.parse(new TextDecoder().decode(bench.done(root, { ...deeds[0] }).value)), {
      owner: 'bob',
      content: `${SECRET_VALUE}-again`,
    });
    keepsSecrets(t, ann);
  },
);

t.test('ACCESS-12: nor to one that lags, reconnects, or whose worker has died', async (t) => {
  const { bench, root } = await world();
  const ann = await bench.member({ sub: 'ann' });
  watch(ann, bench, StartFrom.SNAPSHOT);
  bench.second();
  ann.isStalled = true;
  const filler = 'x'.repeat(20_000);
  for (let round = 0; round < 60; round++) {
    bench.done(root, put(`open-${round % 20}`, 'ann', filler));
    bench.done(root, put(`${SECRET_KEY}-${round % 20}`, 'bob', `${SECRET_VALUE}-${round}`));
  }
  bench.settle();
  t.ok(bench.gateway.subscriptionCounts.lags > 0, 'it has lagged');
  while (ann.buffered > SESSION_DRAINED_BYTES || bench.gateway.subscriptionCounts.lagging > 0) {
    ann.read();
    bench.settle();
  }
  ann.isStalled = false;
  ann.read();
  bench.second();
  keepsSecrets(t, ann);

  const { sequences } = cursorOf(ann);
  const welcome = ann.last('welcome')!;
  ann.close(1000);
  for (let i = 0; i < 20; i++) {
    bench.done(root, { kind: OperationKind.REMOVE, map: MAP, key: `${SECRET_KEY}-${i}` });
    bench.done(root, put(`${SECRET_KEY}-new-${i}`, 'bob', SECRET_VALUE));
    bench.done(root, put(`open-${i}`, 'ann', 'shown at last'));
  }
  const cursor = { store: welcome.store, epoch: welcome.epoch, delivered: sequences };
  const back = await bench.member({ sub: 'ann' }, { cursor });
  watch(back, bench, StartFrom.RESUME);
  t.ok(back.hasHeard('shown at last'));
  const take = put(`${SECRET_KEY}-2`, 'ann', 'x');
  change(bench, root, take.key, 'bob', SECRET_VALUE);
  t.equal(bench.done(back, take).refusal, Code.FORBIDDEN);
  bench.startWorker(0);
  bench.startWorker(1);
  change(bench, root, `${SECRET_KEY}-2`, 'bob', SECRET_VALUE);
  change(bench, root, 'open-2', 'ann', 'after the death');
  t.ok(back.hasHeard('after the death'));
  t.equal(bench.done(back, take).refusal, Code.FORBIDDEN);
  keepsSecrets(t, back);
});

function cursorOf(client: SpiedClient): { sequences: { partition: number; sequence: bigint }[] } {
  const last = new Map<number, bigint>();
  for (const { body } of client.frames)
    if (body.case === 'progress')
      for (const { partition, sequence } of body.value.delivered) last.set(partition, sequence);
  return { sequences: [...last].map(([partition, sequence]) => ({ partition, sequence })) };
}

t.test(
  'ACCESS-13: a record that is given away leaves, and its new value is not shown',
  async (t) => {
    const { bench, root } = await world();
    const ann = await bench.member({ sub: 'ann' });
    watch(ann, bench, StartFrom.NOW);
    bench.done(root, put('open-5', 'bob', SECRET_VALUE));
    bench.done(root, put('open-5', 'bob', SECRET_VALUE));
    const ofMap = ann.events.filter(({ key }) => key === 'open-5');
    t.same(
      ofMap.map(({ kind }) => kind),
      [EventKind.LEAVE],
    );
    t.equal(ofMap[0].value.length, 0);
    bench.done(root, put('open-5', 'ann', 'shown'));
    t.equal(ann.events.at(-1)?.kind, EventKind.ENTER);
    keepsSecrets(t, ann);
  },
);

t.test('ACCESS-14: a write must leave a record within the rows, or nothing is done', async (t) => {
  const { bench, root } = await world();
  const ann = await bench.member({ sub: 'ann' });
  const give = [
    put('open-1', 'bob', 'given'),
    put('new', 'bob', 'given'),
    { kind: OperationKind.MERGE, map: MAP, key: 'open-1', value: text.encode('{"owner":"bob"}') },
    { kind: OperationKind.REMOVE, map: MAP, key: 'never there' },
    { ...put('open-1', 'ann', 'x'), value: text.encode('no JSON') },
  ];
  for (const deed of give) t.equal(bench.done(ann, deed).refusal, Code.FORBIDDEN);
  t.match(bench.done(root, { kind: OperationKind.GET, map: MAP, key: 'open-1' }), {
    outcome: Code.FOUND,
    value: owned('ann', 'shown-1'),
  });
  t.equal(bench.done(root, { kind: OperationKind.GET, map: MAP, key: 'new' }).outcome, Code.ABSENT);
  t.equal(bench.done(ann, put('new', 'ann', 'x')).outcome, Code.APPLIED);
  const stamped = { stamp: BigInt(bench.nowMs + 1) << 16n, node: 9 };
  const removal = { kind: OperationKind.REMOVE, map: MAP, key: 'open-2', ...stamped };
  t.equal(bench.done(ann, removal).outcome, Code.APPLIED);
  t.equal(bench.done(ann, removal).outcome, Code.DUPLICATE, 'sent again');
});

t.test('ACCESS-15: whoever may write and not read is shown its own stamps alone', async (t) => {
  const { bench } = await world();
  const grant = { maps: ['*'], rights: ['write'] };
  const blind = await bench.member(
    { sub: 'eve', 'tidewire.grants': [grant] },
    { resumeToken: new Uint8Array(RESUME_TOKEN_BYTES).fill(5) },
  );
  const key = `${SECRET_KEY}-1`;
  const winner = { stamp: 1n << 16n, node: 9, returnWinner: true };
  // The policy gives eve what she owns to read; this is bob's.
  const { outcome, value, stamp } = bench.done(blind, { ...put(key, 'eve', 'x'), ...winner });
  t.same([outcome, value.length, stamp], [Code.SUPERSEDED, 0, 0n]);
  const merge = { kind: OperationKind.MERGE, map: MAP, key, value: text.encode('{"n":1}') };
  const merged = bench.done(blind, merge);
  t.same([merged.outcome, merged.value.length], [Code.APPLIED, 0]);
  t.ok(merged.stamp > 0n);
  const refused = bench.done(blind, { ...put(key, 'eve', 'x'), ifAbsent: true });
  t.same([refused.refusal, refused.value.length, refused.stamp], [Code.PRECONDITION, 0, 0n]);
  const requestId = 77;
  for (let i = 0; i < 2; i++)
    blind.say({ case: 'operations', value: { operations: [{ ...merge, requestId }] } });
  bench.settle();
  const repeated = blind.results.filter((result) => result.requestId === requestId);
  t.same(
    repeated.map((result) => [result.outcome, result.value.length]),
    [
      [Code.APPLIED, 0],
      [Code.APPLIED, 0],
    ],
  );
  keepsSecrets(t, blind);
});

t.test(
  'ACCESS-16: equal rows share one topic, and no session with rows joins another',
  async (t) => {
    const { bench } = await world();
    const team = { 'tidewire.grants': [{ maps: ['*'], rights: ALL_RIGHTS, where: 'team = 1' }] };
    const before = bench.gateway.subscriptionCounts.topics;
    const [one, two] = [await bench.member(team), await bench.member(team)];
    for (const client of [one, two])
      client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'teams' } });
    bench.settle();
    t.equal(bench.gateway.subscriptionCounts.topics, before + 1);
    t.same(one.last('subscribed')?.topics, two.last('subscribed')?.topics);
    const root = await bench.member(ROOT);
    root.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'teams' } });
    bench.settle();
    t.notSame(root.last('subscribed')?.topics, one.last('subscribed')?.topics);
  },
);

t.test(
  'ACCESS-17: denials are told with session, subject, map and right, a few in a second',
  async (t) => {
    const bench = new PolicedBench([]);
    const ann = await bench.member({ sub: 'ann' });
    const deed = put('some key', 'ann', 'some value');
    for (let i = 0; i < 30; i++) t.equal(bench.done(ann, deed).refusal, Code.FORBIDDEN);
    t.equal(bench.denials.length, 3);
    t.same(bench.denials[0], {
      connection: ann.session.serial,
      subject: 'ann',
      map: MAP,
      right: 'write',
      untold: 0,
    });
    bench.nowMs += 1000;
    ann.say({ case: 'subscribe', value: { subscriptionId: 1, map: MAP } });
    ann.say({ case: 'query', value: { requestId: 1, map: MAP } });
    bench.settle();
    const { key, value } = put('k', 'bob', 'x');
    const own = await bench.member({ sub: 'eve', 'tidewire.grants': [OWN] });
    bench.nowMs += 1000;
    bench.done(own, { kind: OperationKind.PUT, map: MAP, key, value });
    t.match(bench.denials.pop(), { subject: 'eve', map: MAP, right: 'write', untold: 0 });
    t.match(bench.denials.slice(3), [
      { right: 'subscribe', untold: 27 },
      { right: 'read', untold: 0 },
    ]);
  },
);

t.test('AUTH-50: one connection that is denied on and on hides no denial of others', async (t) => {
  const bench = new PolicedBench([]);
  const sub = 'e'.repeat(1000);
  const flooder = await bench.member({ sub });
  const others = await Promise.all(['ann', 'bob', 'cid'].map((sub) => bench.member({ sub })));
  const deed = put('some key', 'ann', 'some value');
  for (let i = 0; i < 100; i++) bench.done(flooder, deed);
  for (const other of others) bench.done(other, deed);
  const subjects = bench.denials.map(({ subject }) => subject);
  const beginning = 'e'.repeat(128);
  t.same(subjects, [beginning, beginning, beginning, 'ann', 'bob', 'cid']);
  t.equal(bench.denials[3].untold, 97);
});

t.test(
  'ACCESS-18: a refresh by a token of others, or that permits other things, ends the session',
  async (t) => {
    const bench = new PolicedBench([OWN]);
    const ann = await bench.member({ sub: 'ann' });
    const refresh = async (claims: object): Promise<void> => {
      ann.say({ case: 'refresh', value: { token: JSON.stringify(claims) } });
      await new Promise((resolve) => setImmediate(resolve));
    };
    await refresh({ sub: 'ann', jti: 2 });
    t.equal(ann.last('refreshed')?.validUntilMs, 0n);
    await refresh({ sub: 'bob' });
    t.equal(ann.closedWith, 4000 + Code.UNAVAILABLE);
    const alike = new PolicedBench([{ maps: ['*'], rights: ['read'] }]);
    const eve = await alike.member({ sub: 'eve' });
    eve.say({ case: 'refresh', value: { token: JSON.stringify({ sub: 'bob' }) } });
    await new Promise((resolve) => setImmediate(resolve));
    t.equal(eve.closedWith, 4000 + Code.UNAVAILABLE, 'or is of somebody else');
  },
);

t.test('ACCESS-19: a processor needs the right to execute; to write is not enough', async (t) => {
  const bench = new PolicedBench([{ maps: ['*'], rights: ['read', 'write', 'subscribe'] }]);
  bench.gateway.allowProcessors(['tidy']);
  const ann = await bench.member({ sub: 'ann' });
  const deed = { kind: OperationKind.EXECUTE, map: MAP, key: 'k', processor: 'tidy' };
  const refused = bench.done(ann, deed);
  t.equal(refused.refusal, Code.FORBIDDEN);
  t.equal(refused.detail, `Not permitted: to execute in map "${MAP}".`, 'and not which there are');
  t.match(bench.denials, [{ subject: 'ann', map: MAP, right: 'execute' }]);
});

t.test('ACCESS-29: a group needs all of execute and read on every map that it names', async (t) => {
  const whole = (map: string): object => ({ maps: [map], rights: ['read', 'execute'] });
  const partly = (map: string): object => ({ ...whole(map), where: `owner = '\${sub}'` });
  const grants = [
    whole('mine'),
    whole('ours'),
    partly('rows'),
    { maps: ['seen'], rights: ['read'] },
    { maps: ['blind'], rights: ['execute'] },
  ];
  const given: unknown[] = [];
  const tidy = (records: unknown): unknown => {
    given.push(records);
    return (records as unknown[]).map(() => ({ put: 1 }));
  };
  const bench = new PolicedBench(grants, { processors: [{ name: 'tidy', run: tidy }] });
  const ann = await bench.member({ sub: 'ann' });
  const group = (map: string, other: string): Result => {
    const records = [{ map: other, key: 'k' }];
    const others = toBinary(RecordNamesSchema, create(RecordNamesSchema, { records }));
    const deed = { kind: OperationKind.EXECUTE, map, key: 'k', processor: 'tidy', others };
    bench.nowMs += 1000; // in one second few denials of a connection are told
    return bench.done(ann, deed);
  };
  const others = ['rows', 'seen', 'blind', 'nothing'];
  for (const other of others) t.equal(group('mine', other).refusal, Code.FORBIDDEN, other);
  t.equal(group('rows', 'mine').refusal, Code.FORBIDDEN, 'its own record under a rule');
  const denied = bench.denials.map(({ map, right }) => `${map} ${right}`);
  t.same(
    denied,
    [...others, 'rows'].map((map) => `${map} execute`),
    'each is told',
  );
  t.same(given, [], 'no processor saw anything');
  t.match(group('mine', 'ours'), { outcome: Code.APPLIED });
  t.equal(given.length, 1);
});

t.test('PROC-13: a denial names the right and the map', async (t) => {
  const bench = new PolicedBench([
    { maps: ['seen'], rights: ['read'] },
    { maps: ['rows'], rights: ['write'], where: `owner = '\${sub}'` },
  ]);
  const ann = await bench.member({ sub: 'ann' });
  const value = text.encode('{"owner":"bob"}');
  const detailOf = (map: string, kind: OperationKind): string =>
    bench.done(ann, { kind, map, key: 'k', ...(kind === OperationKind.PUT && { value }) }).detail;
  t.equal(detailOf('seen', OperationKind.PUT), 'Not permitted: to write in map "seen".');
  t.equal(detailOf('rows', OperationKind.GET), 'Not permitted: to read in map "rows".');
  t.match(
    detailOf('rows', OperationKind.PUT),
    /^The right to write does not extend to this record/,
  );
  ann.say({ case: 'query', value: { requestId: 1, map: 'rows' } });
  t.match(ann.last('rows'), { detail: 'Not permitted: to read in map "rows".' });
  ann.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'seen' } });
  t.match(ann.last('error'), { detail: 'Not permitted: to subscribe in map "seen".' });
});

t.test(
  'UPDATE-33: why an update failed is told to those alone who may read the record',
  async (t) => {
    const bench = new PolicedBench([{ maps: [MAP], rights: ['write'] }]);
    const put = { kind: OperationKind.PUT, map: MAP, key: 'k', value: text.encode('"secret"') };
    const add = { ...put, kind: OperationKind.INCREMENT, value: text.encode('1') };
    const root = await bench.member(ROOT);
    bench.done(root, put);
    t.match(bench.done(root, add), { refusal: Code.PRECONDITION, detail: /is a string/ });
    const ann = await bench.member({ sub: 'ann' });
    t.match(bench.done(ann, add), { refusal: Code.PRECONDITION, detail: '' });
  },
);
