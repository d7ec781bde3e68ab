import { Code, closeCodeOf, EFFECTS_KEPT_MS } from '@tidewire/core';
import { OperationKind, type Result } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';

const EPOCH = 42n;
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
  increment(second, 1, { firstEpoch: EPOCH });
  const again = answerOf(bench, second);
  t.match(again, { outcome: Code.APPLIED, sequence: 1n });
  t.equal(shownBy(again), '1', 'the answer is the first one');
  increment(second, 2, { firstEpoch: EPOCH });
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
    increment(second, 1, { firstEpoch: EPOCH });
    t.equal(shownBy(answerOf(bench, second)), '1');
    t.same(first.results, []);
  },
);

t.test('UPDATE-22: a repeated update of an unknown session or epoch is UNCERTAIN', async (t) => {
  const bench = new TestBench();
  const stranger = resuming(bench);
  increment(stranger, 1, { firstEpoch: EPOCH });
  t.match(answerOf(bench, stranger), { outcome: 0, refusal: Code.UNCERTAIN });
  const resumed = resuming(bench);
  increment(resumed, 2, { firstEpoch: EPOCH - 1n });
  t.match(answerOf(bench, resumed), { outcome: 0, refusal: Code.UNCERTAIN }, 'an earlier start');
  increment(resumed, 3, { firstEpoch: EPOCH });
  t.match(answerOf(bench, resumed), { outcome: Code.APPLIED });
  const nobody = bench.client();
  increment(nobody, 1, { firstEpoch: EPOCH });
  const uncertain = answerOf(bench, nobody);
  t.match(uncertain, { refusal: Code.UNCERTAIN });
  t.equal(shownBy(uncertain), '1', 'with the present value');
});

t.test('UPDATE-23: the effects of a closed session are kept for a while', async (t) => {
  const bench = new TestBench();
  const first = resuming(bench);
  increment(first, 1);
  bench.settle();
  first.close(1006);
  bench.nowMs += EFFECTS_KEPT_MS - 1;
  bench.gateway.checkDeadlines();
  bench.settle();
  const second = resuming(bench);
  increment(second, 1, { firstEpoch: EPOCH });
  t.match(answerOf(bench, second), { outcome: Code.APPLIED }, 'until then');
  second.close(1006);
  bench.nowMs += EFFECTS_KEPT_MS;
  bench.gateway.checkDeadlines();
  bench.settle();
  const third = resuming(bench);
  increment(third, 1, { firstEpoch: EPOCH });
  t.match(answerOf(bench, third), { refusal: Code.UNCERTAIN }, 'not longer');
});

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
