import {
  Code,
  closeCodeOf,
  HELLO_DEADLINE_MS,
  IN_FLIGHT_MAX,
  RETRY_AFTER_MS,
  SAFE_DEADLINE_MS,
  SESSION_SOFT_BYTES,
} from '@tidewire/core';
import { AckLevel, EventKind, Level, OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';

const text = new TextEncoder();
const put = (requestId: number, key: string, value: string, more = {}) => ({
  requestId,
  kind: OperationKind.PUT,
  map: 'users',
  key,
  value: text.encode(value),
  ...more,
});
const get = (requestId: number, key: string) => ({
  requestId,
  kind: OperationKind.GET,
  map: 'users',
  key,
});

t.test('OP-1: a put is applied by its owner and a get reads it back', async (t) => {
  const bench = new TestBench({ workers: 3 });
  const client = bench.client();
  client.say({
    case: 'operations',
    value: { operations: [put(1, 'ann', '{"age":41}'), get(2, 'ann'), get(3, 'bob')] },
  });
  bench.settle();
  t.equal(client.last('welcome')?.epoch, 42n);
  const byId = new Map(client.results.map((result) => [result.requestId, result]));
  t.equal(byId.size, 3);
  t.match(byId.get(1), { outcome: Code.APPLIED, level: Level.MEMORY, sequence: 1n });
  t.match(byId.get(2), { outcome: Code.FOUND, sequence: 1n });
  t.equal(new TextDecoder().decode(byId.get(2)!.value), '{"age":41}');
  t.match(byId.get(3), { outcome: Code.ABSENT });
});

t.test('SUB-1: map and key subscribers hear of every change after Subscribed', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const [writer, all, one] = [bench.client(1), bench.client(2), bench.client(3)];
  all.say({ case: 'subscribe', value: { subscriptionId: 5, map: 'users' } });
  one.say({ case: 'subscribe', value: { subscriptionId: 6, map: 'users', key: 'k3' } });
  bench.settle();
  t.equal(all.last('subscribed')?.subscriptionId, 5);
  t.equal(one.last('subscribed')?.subscriptionId, 6);
  for (let i = 0; i < 10; i++)
    writer.say({ case: 'operations', value: { operations: [put(i, `k${i}`, String(i))] } });
  writer.say({
    case: 'operations',
    value: { operations: [{ requestId: 99, kind: OperationKind.REMOVE, map: 'users', key: 'k3' }] },
  });
  bench.settle();
  t.equal(all.events.length, 11);
  t.same(
    one.events.map((event) => event.kind),
    [EventKind.PUT, EventKind.REMOVE],
  );
  all.say({ case: 'unsubscribe', value: { subscriptionId: 5 } });
  writer.say({ case: 'operations', value: { operations: [put(100, 'k1', '7')] } });
  bench.settle();
  t.equal(all.events.length, 11);
});

t.test('CONN-20: who has not said Hello by the deadline is closed, and nobody else', async (t) => {
  const bench = new TestBench();
  const [known, late] = [bench.client(), bench.stranger()];
  bench.nowMs += HELLO_DEADLINE_MS - 1;
  const later = bench.stranger();
  bench.gateway.checkDeadlines();
  t.equal(late.closedWith, undefined);
  bench.nowMs += 1;
  bench.gateway.checkDeadlines();
  t.equal(late.closedWith, closeCodeOf(Code.UNAUTHENTICATED));
  t.match(late.last('error'), {
    code: Code.UNAUTHENTICATED,
    detail: /Hello/,
    retryAfterMs: RETRY_AFTER_MS,
  });
  t.match([known.closedWith, later.closedWith], [undefined, undefined]);
  bench.nowMs += HELLO_DEADLINE_MS;
  bench.gateway.checkDeadlines();
  t.equal(later.closedWith, closeCodeOf(Code.UNAUTHENTICATED));
  t.equal(bench.gateway.connections, 1);
});

t.test(
  'CONN-21: more operations in flight than allowed are OVERLOADED at once, and only those',
  async (t) => {
    const bench = new TestBench();
    const client = bench.client();
    const operations = Array.from({ length: IN_FLIGHT_MAX }, (_, i) => put(i + 1, `k${i}`, '1'));
    client.say({ case: 'operations', value: { operations } });
    client.say({ case: 'operations', value: { operations: [put(9999, 'k', '1')] } });
    bench.settle();
    t.match(
      client.results.filter(({ refusal }) => refusal !== 0),
      [{ requestId: 9999, refusal: Code.OVERLOADED, outcome: 0 }],
    );
    t.equal(client.results.length, IN_FLIGHT_MAX + 1);
    client.say({ case: 'operations', value: { operations: [put(10_000, 'k', '1')] } });
    bench.settle();
    t.match(client.results.at(-1), { requestId: 10_000, outcome: Code.APPLIED });
  },
);

t.test(
  'CONN-22: who does not read its answers is refused more, and goes on once it has read',
  async (t) => {
    const bench = new TestBench();
    const client = bench.client();
    client.buffered = SESSION_SOFT_BYTES + 1;
    client.say({ case: 'operations', value: { operations: [put(1, 'k', '1')] } });
    bench.settle();
    client.buffered = 0;
    client.say({ case: 'operations', value: { operations: [put(2, 'k', '1')] } });
    bench.settle();
    t.match(client.results, [
      { refusal: Code.OVERLOADED },
      { outcome: Code.APPLIED, sequence: 1n },
    ]);
  },
);

t.test(
  'CONN-23: a draining gateway takes no connection and refuses operations, and answers what it owes',
  async (t) => {
    const bench = new TestBench();
    const client = bench.client();
    t.equal(bench.gateway.onUpgrade('192.0.2.1'), undefined);
    client.say({ case: 'operations', value: { operations: [put(1, 'k', '1')] } });
    bench.gateway.drain();
    client.say({ case: 'operations', value: { operations: [put(2, 'k', '2')] } });
    bench.settle();
    t.match(bench.gateway.onUpgrade('192.0.2.1'), { retryAfterMs: Number });
    const byId = new Map(client.results.map((result) => [result.requestId, result]));
    t.match(byId.get(1), { outcome: Code.APPLIED });
    t.match(byId.get(2), { outcome: 0, refusal: Code.UNAVAILABLE });
    t.equal(bench.gateway.outstanding, 0);
  },
);

t.test('CONN-24: an answer never reaches the next holder of a session’s place', async (t) => {
  const bench = new TestBench();
  const gone = bench.client(1);
  gone.say({ case: 'operations', value: { operations: [put(1, 'k', '1')] } });
  gone.close(1000);
  const next = bench.client(2);
  bench.settle();
  t.equal(next.results.length, 0);
  t.equal(bench.gateway.outstanding, 0);
  next.say({ case: 'operations', value: { operations: [get(1, 'k')] } });
  bench.settle();
  t.match(next.results, [{ outcome: Code.FOUND }], 'the write was done all the same');
});

t.test(
  'CONN-25: a place with an answer under way is given to nobody, however many come and go',
  async (t) => {
    const bench = new TestBench();
    const gone = bench.client(1);
    gone.say({
      case: 'operations',
      value: { operations: [put(1, 'k', '1', { ackLevel: AckLevel.SAFE })] },
    });
    bench.settle();
    gone.close(1000);
    for (let i = 0; i < 5000; i++) bench.client(2).close(1000);
    const others = [bench.client(3), bench.client(4)];
    bench.nowMs += SAFE_DEADLINE_MS;
    bench.settle();
    for (const other of others) {
      t.same(other.results, []);
      t.equal(other.session.inFlight, 0);
    }
    t.equal(bench.gateway.waiting, 0);
  },
);

t.test(
  'WB-38: a SAFE result waits, and past its deadline is NOT_YET_DURABLE at level MEMORY',
  async (t) => {
    const bench = new TestBench();
    const client = bench.client();
    const safe = { ackLevel: AckLevel.SAFE };
    client.say({
      case: 'operations',
      value: { operations: [put(1, 'k', '1', safe), get(2, 'k')] },
    });
    bench.settle();
    t.match(client.results, [{ requestId: 2, outcome: Code.FOUND }], 'nobody waits for it');
    t.equal(bench.gateway.waiting, 1);
    bench.nowMs += SAFE_DEADLINE_MS - 1;
    bench.settle();
    t.equal(bench.gateway.waiting, 1);
    bench.nowMs += 1;
    bench.settle();
    t.match(client.results.at(-1), {
      requestId: 1,
      outcome: Code.APPLIED,
      refusal: Code.NOT_YET_DURABLE,
      level: Level.MEMORY,
    });
    t.equal(bench.gateway.waiting, 0);
  },
);

t.test(
  'SUB-7: of one change the result goes out before the event; the writer hears its own',
  async (t) => {
    const bench = new TestBench();
    const client = bench.client();
    client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    bench.settle();
    client.say({ case: 'operations', value: { operations: [put(1, 'k', '1')] } });
    bench.settle();
    const kinds = client.frames.map(({ body }) => body.case).slice(-2);
    t.same(kinds, ['results', 'events']);
  },
);

t.test(
  'SUB-8: a change before Subscribed is not heard, one after it is, one after Unsubscribed is not',
  async (t) => {
    const bench = new TestBench({ workers: 2 });
    const [writer, watcher, standing] = [bench.client(1), bench.client(2), bench.client(3)];
    standing.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    bench.settle();
    const write = (requestId: number): void =>
      writer.say({
        case: 'operations',
        value: { operations: [put(requestId, 'k', `${requestId}`)] },
      });
    write(1);
    bench.settle();
    watcher.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    bench.settle();
    const before = watcher.events.length;
    t.equal(before, 0);
    write(2);
    bench.settle();
    watcher.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
    write(3);
    bench.settle();
    t.equal(watcher.events.length, 1);
    t.equal(standing.events.length, 3);
  },
);

t.test(
  'SUB-9: a session that has lost an event is closed with SLOW_CONSUMER and leaves its topics',
  async (t) => {
    const bench = new TestBench();
    const [writer, slow, standing] = [bench.client(1), bench.client(2), bench.client(3)];
    for (const client of [slow, standing])
      client.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    bench.settle();
    bench.gateway.onDropped(slow.session);
    bench.gateway.onDropped(slow.session);
    t.equal(slow.closedWith, closeCodeOf(Code.SLOW_CONSUMER));
    t.equal(slow.topics.size, 0);
    writer.say({ case: 'operations', value: { operations: [put(1, 'k', '1')] } });
    bench.settle();
    t.equal(standing.events.length, 1);
    t.equal(bench.gateway.subscriptionCounts.topics, 1);
  },
);

t.test(
  'SUB-10: one shut out while its subscription becomes live leaves nothing behind',
  async (t) => {
    const bench = new TestBench();
    const slow = bench.client(2);
    slow.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    slow.refusesSend = true;
    bench.settle();
    t.equal(slow.closedWith, closeCodeOf(Code.SLOW_CONSUMER));
    t.equal(bench.gateway.subscriptionCounts.topics, 0);
    const next = bench.client(3);
    next.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    next.say({ case: 'operations', value: { operations: [put(1, 'a', '1')] } });
    bench.settle();
    next.say({ case: 'operations', value: { operations: [put(2, 'b', '1')] } });
    bench.settle();
    t.match(next.events.at(-1), { key: 'b' });
  },
);

t.test(
  'SUB-11: one whose answer no longer fits when its subscription becomes live is shut out alone',
  async (t) => {
    const bench = new TestBench();
    const other = bench.client(2);
    other.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    bench.settle();
    const slow = bench.client(3);
    slow.say({ case: 'operations', value: { operations: [put(1, 'a', '1')] } });
    slow.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    slow.refusesSend = true;
    bench.settle();
    t.equal(slow.closedWith, closeCodeOf(Code.SLOW_CONSUMER));
    t.match(other.events, [{ key: 'a' }]);
    other.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
    bench.settle();
    t.equal(bench.gateway.subscriptionCounts.topics, 0);
  },
);

t.test(
  'RUN-20: ending all sessions tells each why, by an error and by its close code',
  async (t) => {
    const bench = new TestBench();
    const clients = [bench.client(1), bench.client(2), bench.stranger()];
    bench.gateway.endSessions(Code.FENCED);
    for (const client of clients) {
      t.match(client.last('error'), { code: Code.FENCED });
      t.equal(client.closedWith, closeCodeOf(Code.FENCED));
    }
    t.equal(bench.gateway.connections, 0);
  },
);
