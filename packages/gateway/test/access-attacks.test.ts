import {
  Code,
  messageOf,
  PRESENCE_GRACE_MS,
  parsePredicate,
  RESUME_TOKEN_BYTES,
  SESSION_DRAINED_BYTES,
} from '@tidewire/core';
import { OperationKind, SliceKind, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { STORE } from './bench.js';
import { ALL_RIGHTS, PolicedBench, ROOT, type SpiedClient } from './policed-bench.js';

const text = new TextEncoder();
const MAP = 'notes';
const TOKEN = new Uint8Array(RESUME_TOKEN_BYTES).fill(5);
/** Everybody may do everything with records of their own, and with no others. */
const OWN = { maps: ['*'], rights: ALL_RIGHTS, where: `owner = '\${sub}'` };
const BEGINNING = { store: STORE, epoch: 42n };

const put = (key: string, owner: string, more: object = {}) => ({
  kind: OperationKind.PUT,
  map: MAP,
  key,
  value: text.encode(JSON.stringify({ owner })),
  ...more,
});
const get = (key: string, map = MAP) => ({ kind: OperationKind.GET, map, key });

function outcomeOf(bench: PolicedBench, client: SpiedClient, key: string): string {
  return Code[bench.done(client, get(key)).outcome];
}

function slicesOf(client: SpiedClient) {
  return client.frames.flatMap(({ body }) => (body.case === 'catchUp' ? body.value.slices : []));
}

t.test('ACCESS-21: no hash of a key is sent to whoever may not see every record', async (t) => {
  const bench = new PolicedBench([OWN], { workers: 2 });
  const root = await bench.member(ROOT);
  for (let i = 0; i < 20; i++) {
    bench.done(root, put(`hidden-${i}`, 'bob'));
    bench.done(root, put(`given-${i}`, 'ann'));
    bench.done(root, put(`given-${i}`, 'bob'));
  }
  bench.done(root, put('open', 'ann'));
  const ann = await bench.member({ sub: 'ann' }, { cursor: BEGINNING });
  const ask = (client: SpiedClient, start: StartFrom): void => {
    const value = { subscriptionId: 1, map: MAP, start };
    client.say({ case: 'subscribe', value });
    client.say({ case: 'subscribe', value: { ...value, subscriptionId: 2, key: 'hidden-3' } });
    bench.second();
  };
  ask(ann, StartFrom.RESUME);
  t.same(
    slicesOf(ann).flatMap(({ events }) => events.map(({ key }) => key)),
    ['open'],
  );
  t.notOk(slicesOf(ann).some(({ kind }) => kind !== SliceKind.RENEWAL));
  ann.isStalled = true;
  for (let i = 0; i < 40; i++) {
    bench.done(root, put('open', 'ann', { value: longOf('ann') }));
    bench.done(root, put(`hidden-${i % 20}`, 'bob'));
  }
  t.ok(bench.gateway.subscriptionCounts.lags > 0, 'it has lagged');
  while (ann.buffered > SESSION_DRAINED_BYTES || bench.gateway.subscriptionCounts.lagging > 0) {
    ann.read();
    bench.settle();
  }
  ann.isStalled = false;
  ann.read();
  t.same(
    slicesOf(ann).flatMap(({ forgotten }) => forgotten),
    [],
  );
  const all = await bench.member(ROOT, { cursor: BEGINNING });
  const where = messageOf(parsePredicate(`owner = 'ann'`));
  const value = { subscriptionId: 1, map: MAP, start: StartFrom.RESUME, where };
  all.say({ case: 'subscribe', value });
  bench.settle();
  t.ok(
    slicesOf(all).some(({ forgotten }) => forgotten.length > 0),
    'others are sent some',
  );
});

function longOf(owner: string): Uint8Array<ArrayBuffer> {
  return text.encode(JSON.stringify({ owner, filler: 'x'.repeat(20_000) }));
}

t.test('ACCESS-22: a write at a guessed stamp does not find out a hidden value', async (t) => {
  const bench = new PolicedBench([OWN]);
  const root = await bench.member(ROOT);
  const ann = await bench.member({ sub: 'ann' });
  const stamp = { stamp: BigInt(bench.nowMs) << 16n, node: 9 };
  bench.done(root, put('secret', 'bob', stamp));
  bench.done(root, put('ended', 'bob', { ...stamp, ttlMs: 1000n }));
  bench.done(root, put('own', 'ann', stamp));
  for (const owner of ['bob', 'ann', 'zoe'])
    t.equal(bench.done(ann, put('secret', owner, stamp)).refusal, Code.FORBIDDEN, owner);
  t.equal(bench.done(ann, put('own', 'ann', stamp)).outcome, Code.DUPLICATE, 'its own is told');
  bench.nowMs += 2000;
  const again = put('ended', 'bob', { ...stamp, ttlMs: 1000n });
  t.equal(bench.done(ann, again).refusal, Code.FORBIDDEN, 'nor one that has expired');
});

t.test('ACCESS-23: nobody ends the presence of others by taking their node', async (t) => {
  const bench = new PolicedBench([OWN]);
  const bob = await bench.member({ sub: 'bob' }, { node: 77 });
  const here = { whileConnected: true };
  t.equal(bench.done(bob, put('bob', 'bob', here)).outcome, Code.APPLIED);
  const eve = await bench.member({ sub: 'eve' }, { node: 77 });
  t.equal(bench.done(eve, put('eve', 'eve', here)).outcome, Code.APPLIED);
  t.equal(bench.done(eve, put('bob', 'eve', here)).refusal, Code.FORBIDDEN);
  t.equal(bench.done(eve, put('bob', 'eve')).refusal, Code.FORBIDDEN);
  bench.done(eve, put('bob', 'eve', here));
  eve.close(1006);
  bench.nowMs += PRESENCE_GRACE_MS;
  bench.settle();
  t.equal(outcomeOf(bench, bob, 'bob'), 'FOUND');
  const root = await bench.member(ROOT);
  t.equal(outcomeOf(bench, root, 'eve'), 'ABSENT', 'its own has ended');
  bob.close(1006);
  bench.nowMs += PRESENCE_GRACE_MS;
  bench.settle();
  t.equal(outcomeOf(bench, root, 'bob'), 'ABSENT', 'and so has theirs, in its time');
});

t.test('ACCESS-24: a session is continued by its own subject alone', async (t) => {
  const bench = new PolicedBench([{ maps: ['*'], rights: ALL_RIGHTS, where: 'n >= 0' }]);
  const resumeToken = TOKEN;
  const bob = await bench.member({ sub: 'bob' }, { resumeToken });
  const n = { map: MAP, key: 'n', value: text.encode('1'), requestId: 5 };
  const record = { kind: OperationKind.PUT, map: MAP, key: 'r', value: text.encode('{"n":1}') };
  bench.done(bob, { ...record, whileConnected: true });
  const merge = { ...n, kind: OperationKind.MERGE, key: 'm', value: text.encode('{"n":5}') };
  bob.say({ case: 'operations', value: { operations: [merge] } });
  bench.settle();
  const eve = await bench.member({ sub: 'eve' }, { resumeToken });
  t.equal(eve.last('welcome')?.holdsPresence, false);
  t.equal(bob.closedWith, undefined, 'nobody is put out');
  eve.say({
    case: 'operations',
    value: { operations: [{ ...merge, value: text.encode('{"n":6}') }] },
  });
  bench.settle();
  t.match(eve.results.at(-1), { outcome: Code.APPLIED, value: text.encode('{"n":6}') });
  bob.close(1006);
  const again = await bench.member({ sub: 'eve' }, { resumeToken });
  t.equal(again.last('welcome')?.holdsPresence, false, 'nor after its end');
  const back = await bench.member({ sub: 'bob' }, { resumeToken });
  t.equal(back.last('welcome')?.holdsPresence, true);
});

/** What a client with a token for one map may try on another one. */
const TRIES: readonly ((map: string, requestId: number) => object)[] = [
  ...Object.values(OperationKind)
    .filter((kind) => typeof kind === 'number' && kind !== OperationKind.UNSPECIFIED)
    .flatMap((kind) =>
      [{}, { ackLevel: 2 }, { firstMemory: 41n }, { returnWinner: true, stamp: 1n, node: 1 }].map(
        (more) => (map: string, requestId: number) => {
          const hasValue = kind !== OperationKind.GET && kind !== OperationKind.REMOVE;
          const value = text.encode(hasValue ? '{"owner":"eve"}' : '');
          const processor = kind === OperationKind.EXECUTE ? 'tidy' : '';
          const operation = { requestId, kind, map, key: 'k', value, processor, ...more };
          return { case: 'operations', value: { operations: [operation] } };
        },
      ),
    ),
  ...[StartFrom.NOW, StartFrom.SNAPSHOT, StartFrom.RESUME].flatMap((start) =>
    [{}, { key: 'k' }, { maxHz: 5 }, { key: 'k', knownSequence: 1n }].map(
      (more) => (map: string, subscriptionId: number) => ({
        case: 'subscribe',
        value: { subscriptionId, map, start, ...more },
      }),
    ),
  ),
  ...[{}, { countOnly: true }, { limit: 3 }].map((more) => (map: string, requestId: number) => ({
    case: 'query',
    value: { requestId, map, ...more },
  })),
];

t.test('ACCESS-25: on a map without rights nothing is done, and nothing told of it', async (t) => {
  const run = () => ({ put: 1 });
  const bench = new PolicedBench([{ maps: ['mine'], rights: ALL_RIGHTS }], {
    workers: 2,
    processors: [{ name: 'tidy', run }],
  });
  const root = await bench.member(ROOT);
  bench.done(root, { ...put('k', 'bob'), map: 'theirs' });
  const eve = await bench.member({ sub: 'eve' }, { cursor: BEGINNING, resumeToken: TOKEN });
  const { topics } = bench.gateway.subscriptionCounts;
  for (const [i, tried] of TRIES.entries()) {
    // A denial names the map as it was asked for: in that alone the two may differ.
    const answers = ['theirs', 'nowhere'].map((map) =>
      answerTo(bench, eve, tried(map, i + 1)).replaceAll(map, 'asked'),
    );
    t.match(answers[0], /FORBIDDEN/, `${JSON.stringify(tried('theirs', 0), plainly)}`);
    t.equal(answers[0], answers[1], 'a map that is there is answered as one that is not');
  }
  bench.done(root, { ...put('k', 'bob again'), map: 'theirs' });
  bench.second();
  t.equal(eve.events.length, 0);
  t.notOk(eve.hasHeard('bob'));
  t.equal(bench.gateway.subscriptionCounts.topics, topics);
  t.match(bench.done(root, { ...get('k'), map: 'theirs' }), { outcome: Code.FOUND });
  t.equal(eve.closedWith, undefined);
  answerTo(bench, eve, { case: 'unsubscribe', value: { subscriptionId: 1 } });
  t.equal(eve.last('error')?.code, Code.INVALID, 'nothing was subscribed');
});

/** What the frame is answered with, but for clock and request id. */
function answerTo(bench: PolicedBench, client: SpiedClient, body: object): string {
  const before = client.frames.length;
  client.say(body as never);
  bench.settle();
  return client.frames
    .slice(before)
    .map(({ body: { value } }) => JSON.stringify(value, plainly))
    .join();
}

/** Codes by their names, so that a reader of the test sees them. */
function plainly(name: string, value: unknown): unknown {
  if (name === 'refusal' || name === 'code') return Code[value as Code];
  return typeof value === 'bigint' ? String(value) : value;
}

t.test('ACCESS-26: a hidden record is answered as one that is not there', async (t) => {
  const bench = new PolicedBench([{ ...OWN, rights: ['read', 'subscribe'] }], { workers: 2 });
  const root = await bench.member(ROOT);
  const keys = ['there', 'none'];
  bench.done(root, put('there', 'bob'));
  bench.done(root, put('gone', 'bob'));
  bench.done(root, { kind: OperationKind.REMOVE, map: MAP, key: 'gone' });
  const ann = await bench.member({ sub: 'ann' }, { cursor: BEGINNING });
  const [there, ...others] = [...keys, 'gone'].map((key) => {
    const { partition: _, ...result } = bench.done(ann, get(key));
    return JSON.stringify({ ...result, requestId: 0 }, plainly);
  });
  t.same(others, [there, there]);
  for (const start of [StartFrom.SNAPSHOT, StartFrom.RESUME]) {
    const [one, two] = keys.map((key) => {
      const subscriptionId = 7;
      const value = { subscriptionId, map: MAP, key, start };
      const before = slicesOf(ann).length;
      ann.say({ case: 'subscribe', value });
      bench.settle();
      ann.say({ case: 'unsubscribe', value: { subscriptionId } });
      return slicesOf(ann).slice(before);
    });
    t.same(one, two);
    t.ok(one.length > 0, 'there is something to compare');
  }
  t.notOk(ann.hasHeard('bob'));
});

t.test('ACCESS-27: a denied processor is told of as such, and names none', async (t) => {
  const run = () => ({ put: { owner: 'bob' } });
  const grants = [{ maps: ['*'], rights: ['read', 'write', 'execute'], where: `owner = 'ann'` }];
  const bench = new PolicedBench(grants, { processors: [{ name: 'give', run }] });
  const ann = await bench.member({ sub: 'ann' });
  bench.done(ann, put('k', 'ann'));
  const execute = { kind: OperationKind.EXECUTE, map: MAP, key: 'k' };
  t.equal(bench.done(ann, { ...execute, processor: 'give' }).refusal, Code.FORBIDDEN);
  t.match(bench.denials, [{ subject: 'ann', map: MAP, right: 'execute' }]);
  t.equal(bench.done(ann, { ...execute, processor: 'none' }).refusal, Code.INVALID);
  const strict = new PolicedBench([], { processors: [{ name: 'give', run }] });
  const eve = await strict.member({ sub: 'eve' });
  for (const processor of ['give', 'none'])
    t.equal(strict.done(eve, { ...execute, processor }).refusal, Code.FORBIDDEN, processor);
});
