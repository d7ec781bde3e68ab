import {
  Code,
  closeCodeOf,
  FRAME_BYTES_MAX,
  RATE_DEBT_OPERATIONS_MIN,
  RATE_DEBT_SECONDS_MAX,
  VALUE_BYTES_MAX,
} from '@tidewire/core';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { put, write } from './operations.js';

const MAP = 'm'.repeat(129);
const KEY = 'k'.repeat(1025);

t.test(
  'LIMIT-16: operations beyond the rate are OVERLOADED, with the limit and a time',
  async (t) => {
    const bench = new TestBench({ limits: { operationsPerSecond: 10 } });
    const client = bench.client();
    const other = bench.client();
    write(client, ...Array.from({ length: 15 }, (_, i) => put(`k${i}`, '1')));
    write(other, put('other', '1'));
    bench.settle();
    t.equal(client.results.filter(({ outcome }) => outcome === Code.APPLIED).length, 10);
    const refused = client.results.filter(({ refusal }) => refusal !== 0);
    t.equal(refused.length, 5);
    for (const { refusal, detail, retryAfterMs } of refused)
      t.match(
        { refusal, detail, retryAfterMs },
        {
          refusal: Code.OVERLOADED,
          detail: /At most 10 operations a second/,
          retryAfterMs: 1,
        },
      );
    t.match(other.results, [{ outcome: Code.APPLIED }], 'each connection has a rate of its own');
    bench.nowMs += 500;
    write(client, ...Array.from({ length: 15 }, (_, i) => put(`k${i}`, '2')));
    bench.settle();
    t.equal(client.results.filter(({ outcome }) => outcome === Code.APPLIED).length, 15);
  },
);

t.test('LIMIT-17: subscriptions and queries count as operations', async (t) => {
  const bench = new TestBench({ limits: { operationsPerSecond: 2 } });
  const client = bench.client();
  const subscribe = (subscriptionId: number): void =>
    client.say({ case: 'subscribe', value: { subscriptionId, map: 'users' } });
  subscribe(1);
  client.say({ case: 'query', value: { requestId: 1, map: 'users' } });
  subscribe(2);
  client.say({ case: 'query', value: { requestId: 2, map: 'users' } });
  client.say({ case: 'ping', value: { token: 5n } });
  client.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
  bench.settle();
  t.match(client.last('error'), { code: Code.OVERLOADED, subscriptionId: 2, retryAfterMs: 1 });
  const rows = client.frames.flatMap(({ body }) => (body.case === 'rows' ? [body.value] : []));
  t.match(
    rows.find(({ requestId }) => requestId === 2),
    { isDone: true, refusal: Code.OVERLOADED, retryAfterMs: 1 },
  );
  t.match(client.last('pong'), { token: 5n });
  t.match(
    client.last('unsubscribed'),
    { subscriptionId: 1 },
    'what ends something is never refused',
  );
});

t.test(
  'LIMIT-18: bytes beyond the rate are OVERLOADED; who goes on and on is closed',
  async (t) => {
    const bench = new TestBench({ limits: { bytesPerSecond: 10_000 } });
    const client = bench.client();
    const large = (): object => put('k', `"${'x'.repeat(9000)}"`);
    write(client, large());
    write(client, large());
    write(client, large());
    bench.settle();
    t.match(client.results.map(({ outcome, refusal }) => outcome || refusal).sort(), [
      Code.APPLIED,
      Code.APPLIED,
      Code.OVERLOADED,
    ]);
    const [{ detail, retryAfterMs }] = client.results.filter(({ refusal }) => refusal !== 0);
    t.match(detail, /At most 10000 bytes a second/);
    bench.nowMs += retryAfterMs;
    write(client, put('k', '1'));
    bench.settle();
    t.match(client.results.at(-1), { outcome: Code.APPLIED }, 'the time told is enough');
    for (let i = 0; i <= RATE_DEBT_SECONDS_MAX + 2; i++) write(client, large());
    t.equal(client.closedWith, closeCodeOf(Code.OVERLOADED));
    t.match(client.last('error'), { code: Code.OVERLOADED, detail: /told to wait/ });
  },
);

t.test('LIMIT-41: a value longer than the operator lets in is refused by that limit', async (t) => {
  const bench = new TestBench({ limits: { valueBytes: 3 } });
  const client = bench.client();
  write(client, put('k', '123'), put('l', '1234'));
  bench.settle();
  t.match(client.results, [
    { refusal: Code.TOO_LARGE, detail: /value has 3 bytes at most/ },
    { refusal: Code.UNSPECIFIED },
  ]);
});

t.test('LIMIT-19: every refusal of an operation by a limit names it', async (t) => {
  const bench = new TestBench({ limits: { inFlight: 3 } });
  const client = bench.client();
  write(client, put('k', '1', { map: MAP }), put(KEY, '1'));
  write(client, put('k', 'x'.repeat(VALUE_BYTES_MAX + 1)));
  bench.settle();
  t.match(
    client.results.map(({ refusal, detail, retryAfterMs }) => [refusal, detail, retryAfterMs]),
    [
      [Code.TOO_LARGE, /map has 128 bytes at most/, 0],
      [Code.TOO_LARGE, /key has 1024 bytes at most/, 0],
      [Code.TOO_LARGE, /value has 32768 bytes at most/, 0],
    ],
  );
  write(client, ...['a', 'b', 'c', 'd'].map((key) => put(key, '1')));
  const refused = { refusal: Code.OVERLOADED, detail: /At most 3 operations in flight/ };
  bench.settle();
  t.match(
    client.results.find(({ refusal }) => refusal === Code.OVERLOADED),
    {
      ...refused,
      retryAfterMs: 50,
    },
  );
  t.equal(client.results.filter(({ refusal }) => refusal === Code.OVERLOADED).length, 1);
});

t.test('LIMIT-20: full memory says so, and when to try again', async (t) => {
  const bench = new TestBench();
  const client = bench.client();
  const value = `"${'x'.repeat(30_000)}"`;
  let count = 0;
  while (client.results.every(({ refusal }) => refusal === 0)) {
    write(client, put(`k${count++}`, value), put(`k${count++}`, value));
    bench.settle();
  }
  t.match(
    client.results.find(({ refusal }) => refusal !== 0),
    {
      refusal: Code.OVERLOADED,
      detail: /memory for records is full/,
      retryAfterMs: 1000,
    },
  );
  write(client, put('k0', '1', { kind: OperationKind.REMOVE, value: new Uint8Array() }));
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.APPLIED, detail: '', retryAfterMs: 0 });
});

t.test(
  'LIMIT-21: Welcome announces what the operator has set, and no rate that is not',
  async (t) => {
    const set = new TestBench({
      limits: {
        connections: 9,
        connectionsPerAddress: 8,
        heartbeatSeconds: 20,
        valueBytes: 10,
        inFlight: 7,
        subscriptions: 6,
        subscriptionsUnindexed: 5,
        operationsPerSecond: 4,
        bytesPerSecond: 3,
      },
    }).client();
    t.match(set.last('welcome')?.limits, {
      connectionsMax: 9,
      connectionsPerAddressMax: 8,
      heartbeatTimeoutMs: 20_000,
      heartbeatIntervalMs: 8000,
      valueBytesMax: 10,
      inFlightMax: 7,
      subscriptionsMax: 6,
      subscriptionsUnindexedMax: 5,
      operationsPerSecondMax: 4,
      bytesPerSecondMax: 3,
    });
    const limits = new TestBench().client().last('welcome')?.limits;
    t.equal(limits?.operationsPerSecondMax, undefined);
    t.equal(limits?.bytesPerSecondMax, undefined);
  },
);

t.test('LIMIT-22: who is turned away at the door leaves nothing behind', async (t) => {
  const bench = new TestBench({ limits: { connectionsPerAddress: 2, strangersPerAddress: 2 } });
  const address = '192.0.2.1';
  const one = bench.stranger(address);
  bench.stranger(address);
  t.notOk(bench.gateway.onAccept(address, 1));
  t.match(bench.gateway.onUpgrade(address), { sentence: /An address may have 2 connections/ });
  t.equal(bench.gateway.onUpgrade('192.0.2.2'), undefined);
  one.hello();
  t.ok(bench.gateway.onAccept(address, 1), 'no stranger any more');
  one.close(1000);
  t.equal(bench.gateway.connections, 1);
  bench.nowMs += 2000;
  bench.gateway.checkDeadlines();
  t.equal(bench.gateway.connections, 0);
});

t.test('LIMIT-25: who is refused operations on and on is closed', async (t) => {
  const bench = new TestBench({ limits: { operationsPerSecond: 1000 } });
  const [client, steady] = [bench.client(), bench.client()];
  const many = Array.from({ length: 2000 }, (_, i) => put(`k${i}`, '1'));
  let refused = -1000;
  for (; client.closedWith === undefined && refused < 100_000; refused += 2000)
    write(client, ...many);
  t.equal(client.closedWith, closeCodeOf(Code.OVERLOADED));
  t.match(client.last('error'), { code: Code.OVERLOADED, detail: /told to wait/ });
  t.ok(refused > RATE_DEBT_OPERATIONS_MIN, 'a few windows of an honest client are not too many');
  bench.settle();
  for (let second = 0; second < 20; second++) {
    write(steady, ...many);
    bench.nowMs += 1000;
    bench.settle();
  }
  t.equal(steady.closedWith, undefined, 'twice its rate is refused by half, for ever');
});

t.test('LIMIT-27: what is beyond a limit is refused unread, each by its request', async (t) => {
  const bench = new TestBench({ limits: { inFlight: 3 } });
  const client = bench.client();
  const odd = { kind: OperationKind.GET, value: new Uint8Array(1) };
  write(
    client,
    ...['a', 'b', 'c', 'd'].map((key) => put(key, '1')),
    put('e', '1', odd),
    put('', ''),
  );
  bench.settle();
  const ids = client.results.map(({ requestId }) => requestId).sort((a, b) => a - b);
  t.equal(new Set(ids).size, 6, 'each has one answer');
  const refused = client.results.filter(({ refusal }) => refusal === Code.OVERLOADED);
  t.same(
    refused.map(({ requestId }) => requestId),
    ids.slice(3),
    'those behind the window, sound or not',
  );
  write(client, put('f', '1'));
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.APPLIED });
});

t.test('LIMIT-26: what an address offends by, and what it does not', async (t) => {
  const address = '192.0.2.1';
  const offences: Record<string, (client: FakeClient) => void> = {
    garbage: (client) => client.sayBytes(new Uint8Array([255, 255])),
    'too long a frame': (client) => client.sayBytes(new Uint8Array(FRAME_BYTES_MAX + 1)),
    'no Hello first': (client) => client.say({ case: 'ping', value: { token: 1n } }),
    'another protocol': (client) =>
      client.say({ case: 'hello', value: { protocolVersion: 99, node: 7 } }),
  };
  for (const [name, offend] of Object.entries(offences)) {
    const bench = new TestBench({ limits: { offencesPerAddress: 1 } });
    const client = bench.stranger(address);
    t.ok(bench.gateway.onAccept(address, 1), 'not yet');
    offend(client);
    t.not(client.closedWith, undefined, name);
    t.notOk(bench.gateway.onAccept(address, 1), name);
    t.ok(bench.gateway.onAccept('192.0.2.2', 1));
  }
  const bench = new TestBench({ limits: { offencesPerAddress: 1 } });
  bench.stranger(address);
  bench.nowMs += 2000;
  bench.gateway.checkDeadlines();
  bench.stranger(address).close(1000);
  t.ok(bench.gateway.onAccept(address, 1), 'to be slow or to leave is none');
});

t.test('LOAD-4: who fills the ring of a worker is refused, and others are served', async (t) => {
  const bench = new TestBench();
  const [greedy, modest] = [bench.client(), bench.client()];
  const value = `"${'x'.repeat(30_000)}"`;
  write(greedy, ...Array.from({ length: 500 }, (_, i) => put(`k${i % 10}`, value)));
  write(modest, put('mine', '1'));
  bench.settle();
  t.match(modest.results, [{ outcome: Code.APPLIED }]);
  const refused = greedy.results.filter(({ refusal }) => refusal !== 0);
  t.ok(refused.length > 300, 'of 15 MB a ring takes 3.5');
  t.match(refused[0], { refusal: Code.OVERLOADED, detail: /queued/, retryAfterMs: 50 });
});
