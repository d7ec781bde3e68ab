import { Code } from '@tidewire/core';
import { EventKind, Level, OperationKind } from '@tidewire/schemas';
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
