import {
  Code,
  closeCodeOf,
  EFFECTS_KEPT_MS,
  RESUME_TOKEN_BYTES,
  RESUME_TOKENS_MAX,
  VALUE_BYTES_MAX,
} from '@tidewire/core';
import { NO_BYTES } from '@tidewire/partition-worker/front';
import { OperationKind, type Result, ValueKind } from '@tidewire/schemas';
import t from 'tap';
import { ResumeTokens } from '#lib/session/resume-tokens.js';
import type { Session } from '#lib/session/session.js';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';

/** So many that telling a worker to forget them needs more room than its ring has. */
const TOKENS = 45_000;
const TOKEN = new Uint8Array(16).fill(5);
const encoder = new TextEncoder();

/** A client that has said Hello with a resume token. */
function resuming(bench: TestBench, resumeToken = TOKEN): FakeClient {
  const client = bench.stranger();
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, resumeToken } });
  return client;
}

function increment(client: FakeClient, requestId: number, more: object = {}): void {
  const operation = {
    requestId,
    kind: OperationKind.INCREMENT,
    map: 'counters',
    key: 'hits',
    value: encoder.encode('1'),
    ...more,
  };
  client.say({ case: 'operations', value: { operations: [operation] } });
}

function memoryOf(client: FakeClient): bigint {
  return client.last('welcome')!.memory;
}

function tokenOf(number: number): Uint8Array<ArrayBuffer> {
  const token = new Uint8Array(16).fill(1);
  new DataView(token.buffer).setUint32(0, number);
  return token;
}

function pass(bench: TestBench, ms: number): void {
  bench.nowMs += ms;
  bench.gateway.checkDeadlines();
  bench.settle();
}

/** Puts until the worker's ring takes no more. */
function fill(bench: TestBench, client: FakeClient): void {
  const value = new Uint8Array(VALUE_BYTES_MAX).fill(0x31);
  const put = { kind: OperationKind.PUT, map: 'fill', key: 'k', value };
  for (let requestId = 1; client.results.length === 0; requestId++) {
    client.say({ case: 'operations', value: { operations: [{ ...put, requestId }] } });
    bench.gateway.flush();
  }
}

function answerOf(bench: TestBench, client: FakeClient): Result {
  bench.settle();
  const result = client.results.at(-1);
  if (result === undefined) throw new Error('there is no answer');
  return result;
}

const shownBy = (result: Result): string => new TextDecoder().decode(result.value);

t.test('UPDATE-20: an update sent again by a later connection has no second effect', async (t) => {
  const bench = new TestBench();
  const first = resuming(bench);
  increment(first, 1);
  bench.settle();
  first.close(1006);
  const second = resuming(bench);
  increment(second, 1, { firstMemory: memoryOf(first) });
  const again = answerOf(bench, second);
  t.match(again, { outcome: Code.APPLIED, sequence: 1n });
  t.equal(shownBy(again), '1', 'the answer is the first one');
  increment(second, 2, { firstMemory: memoryOf(first) });
  t.equal(shownBy(answerOf(bench, second)), '2', 'one that was lost on its way is done now');
});

t.test(
  'UPDATE-21: once a later connection has come, the earlier one is closed unheard',
  async (t) => {
    const bench = new TestBench();
    const first = resuming(bench);
    const second = resuming(bench);
    t.equal(first.closedWith, closeCodeOf(Code.UNAVAILABLE));
    increment(first, 1);
    increment(second, 1, { firstMemory: memoryOf(first) });
    t.equal(shownBy(answerOf(bench, second)), '1');
    t.same(first.results, []);
  },
);

t.test('UPDATE-22: an update repeated under another memory is UNCERTAIN', async (t) => {
  const bench = new TestBench();
  const session = resuming(bench);
  const memory = memoryOf(session);
  const other = new TestBench({ epoch: 43 }).client();
  for (const [index, firstMemory] of [memory - 1n, memory + 1n, memoryOf(other)].entries()) {
    increment(session, index + 1, { firstMemory });
    t.match(answerOf(bench, session), { outcome: 0, refusal: Code.UNCERTAIN });
  }
  increment(session, 4, { firstMemory: memory });
  t.match(answerOf(bench, session), { outcome: Code.APPLIED });
  increment(session, 5, { firstMemory: memory - 1n });
  const uncertain = answerOf(bench, session);
  t.match(uncertain, { refusal: Code.UNCERTAIN });
  t.equal(shownBy(uncertain), '1', 'with the present value');
  const condition = { ifStamp: uncertain.stamp, ifNode: uncertain.node };
  increment(session, 6, { firstMemory: memory - 1n, ...condition });
  t.match(answerOf(bench, session), { outcome: Code.APPLIED }, 'one with a condition is tried');
});

t.test('UPDATE-22: without a token nothing is remembered, and no repeat is taken', async (t) => {
  const bench = new TestBench();
  const nobody = bench.client();
  increment(nobody, 1);
  increment(nobody, 2, { firstMemory: memoryOf(nobody) });
  t.match(answerOf(bench, nobody), { refusal: Code.UNCERTAIN });
  const next = bench.client();
  increment(next, 1, { firstMemory: memoryOf(nobody) });
  t.match(answerOf(bench, next), { refusal: Code.UNCERTAIN });
});

t.test('UPDATE-23: the effects of a closed session are kept for a while', async (t) => {
  const bench = new TestBench();
  const first = resuming(bench);
  const memory = { firstMemory: memoryOf(first) };
  increment(first, 1);
  bench.settle();
  first.close(1006);
  pass(bench, EFFECTS_KEPT_MS - 1);
  const second = resuming(bench);
  increment(second, 1, memory);
  t.match(answerOf(bench, second), { outcome: Code.APPLIED }, 'until then');
  second.close(1006);
  pass(bench, EFFECTS_KEPT_MS);
  const third = resuming(bench);
  increment(third, 1, memory);
  t.match(answerOf(bench, third), { refusal: Code.UNCERTAIN }, 'not longer');
});

t.test('UPDATE-28: a connection in between does not make the forgotten remembered', async (t) => {
  const bench = new TestBench();
  const first = resuming(bench);
  increment(first, 1); // its answer is lost
  bench.settle();
  first.close(1006);
  pass(bench, EFFECTS_KEPT_MS);
  resuming(bench).close(1006); // lost between Welcome and the update sent again
  bench.settle();
  const third = resuming(bench);
  increment(third, 1, { firstMemory: memoryOf(first) });
  const answer = answerOf(bench, third);
  t.match(answer, { outcome: 0, refusal: Code.UNCERTAIN });
  t.equal(shownBy(answer), '1', 'it had its effect once');
});

t.test('UPDATE-29: Welcome names a memory that only the same session has again', async (t) => {
  const bench = new TestBench();
  const first = resuming(bench);
  const memory = memoryOf(first);
  t.not(memory, 0n);
  t.ok(memory <= BigInt(Number.MAX_SAFE_INTEGER));
  t.equal(memoryOf(resuming(bench)), memory, 'it goes on');
  const others = [bench.client(), bench.client(), resuming(bench, new Uint8Array(16).fill(6))];
  const late = resuming(bench);
  late.close(1006);
  pass(bench, EFFECTS_KEPT_MS);
  others.push(
    resuming(bench),
    new TestBench({ epoch: 43 }).client(),
    resuming(new TestBench({ epoch: 43 })),
  );
  const numbers = others.map(memoryOf);
  t.notOk(numbers.slice(0, 4).includes(memory));
  t.equal(new Set(numbers.slice(0, 5)).size, 5);
  t.equal(numbers[4], numbers[5], 'the epoch tells starts apart, nothing else');
});

t.test(
  'UPDATE-30: no update is taken while its worker has to be told what to forget',
  async (t) => {
    const bench = new TestBench();
    for (let other = 0; other < TOKENS; other++) resuming(bench, tokenOf(other)).close(1000);
    resuming(bench).close(1000);
    bench.settle();
    const filler = bench.client();
    fill(bench, filler);
    bench.nowMs += EFFECTS_KEPT_MS;
    bench.gateway.checkDeadlines();
    bench.gateway.doWork(); // what is to be forgotten last finds no room
    const session = resuming(bench);
    while (bench.workers[0].doWork() > 0); // there is room again
    increment(session, 1);
    bench.gateway.flush();
    t.match(session.results, [{ requestId: 1, refusal: Code.OVERLOADED }]);
    bench.settle();
    increment(session, 2);
    t.match(answerOf(bench, session), { requestId: 2, outcome: Code.APPLIED }, 'afterwards it is');
    const again = resuming(bench);
    increment(again, 2, { firstMemory: memoryOf(session) });
    t.equal(shownBy(answerOf(bench, again)), '1', 'and remembered');
  },
);

t.test(
  'UPDATE-44: newcomers are remembered, and who left first is forgotten for them',
  async (t) => {
    const tokens = new ResumeTokens();
    const session = (): Session => ({ subject: '', token: NO_BYTES }) as Session;
    const [first, second, staying] = [session(), session(), session()];
    for (const [i, each] of [first, second, staying].entries()) tokens.adopt(each, tokenOf(i));
    tokens.release(second, 1);
    tokens.release(first, 2);
    for (let i = 3; i < RESUME_TOKENS_MAX; i++) tokens.adopt(session(), tokenOf(i));
    t.same(tokens.takeExpired(3), []);
    const [late, later] = [session(), session()];
    tokens.adopt(late, tokenOf(RESUME_TOKENS_MAX));
    t.equal(late.token.length, RESUME_TOKEN_BYTES);
    t.same(tokens.takeExpired(3), [second.token]);
    const again = session();
    tokens.adopt(again, tokenOf(0));
    t.equal(again.memory, first.memory, 'others are not');
    tokens.adopt(later, tokenOf(RESUME_TOKENS_MAX + 1));
    t.same(tokens.takeExpired(3), [], 'nor is anybody who is connected');
    tokens.release(staying, 4);
    t.same(tokens.takeExpired(4), [staying.token]);
    t.equal(tokens.count, RESUME_TOKENS_MAX);
  },
);

t.test('UPDATE-24: fields that do not fit the kind of operation are INVALID', async (t) => {
  const bench = new TestBench();
  const client = bench.client();
  const wrong = [
    { keep: 3 },
    { ifNode: 3 },
    { ifStamp: 5n },
    { ifStamp: 5n, ifNode: 3, ifAbsent: true },
    { kind: OperationKind.GET, value: undefined, ifAbsent: true },
    { kind: 10 },
    { processor: 'p' },
    { others: new Uint8Array([10, 0]) },
  ];
  for (const [index, more] of wrong.entries()) {
    increment(client, index + 1, more);
    t.match(answerOf(bench, client), { refusal: Code.INVALID }, JSON.stringify(Object.keys(more)));
  }
});

t.test('UPDATE-25: a write under a condition goes by the record that stands', async (t) => {
  const bench = new TestBench();
  const client = bench.client();
  const put = { kind: OperationKind.PUT };
  increment(client, 1, { ...put, ifAbsent: true });
  const made = answerOf(bench, client);
  t.match(made, { outcome: Code.APPLIED });
  increment(client, 2, { ...put, ifAbsent: true });
  t.match(answerOf(bench, client), { refusal: Code.PRECONDITION, stamp: made.stamp });
  const condition = { ifStamp: made.stamp, ifNode: made.node };
  increment(client, 3, { ...put, ...condition });
  t.match(answerOf(bench, client), { outcome: Code.APPLIED });
  increment(client, 4, { ...put, ...condition });
  t.match(answerOf(bench, client), { refusal: Code.PRECONDITION });
});

t.test('UPDATE-26: a resume token of another length is refused', async (t) => {
  const bench = new TestBench();
  const client = resuming(bench, new Uint8Array(15));
  t.equal(client.closedWith, closeCodeOf(Code.INVALID));
});

t.test('UPDATE-32: an update that does not fit the value is told so', async (t) => {
  const bench = new TestBench();
  const client = bench.client();
  const refusalOf = (requestId: number, more: object): Result => {
    increment(client, requestId, more);
    return answerOf(bench, client);
  };
  const put = { kind: OperationKind.PUT, value: encoder.encode('"text"') };
  t.match(refusalOf(1, put), { outcome: Code.APPLIED });
  const unfit = refusalOf(2, {});
  t.match(unfit, { refusal: Code.PRECONDITION, retryAfterMs: 0 });
  t.equal(unfit.detail, 'increment is for numbers; the value is a string.');
  const guarded = refusalOf(3, { ...put, ifAbsent: true });
  t.match(guarded, { refusal: Code.PRECONDITION, detail: '' }, 'a condition is another matter');
  t.match(refusalOf(4, { value: encoder.encode('x') }), { detail: /argument of increment/ });
  t.match(refusalOf(5, { ...put, value: new Uint8Array([1]), valueKind: ValueKind.BYTES }), {});
  t.equal(refusalOf(6, {}).detail, 'increment is for numbers; the value is bytes.');
});
