import { OperationKind, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { ReferenceClient } from './reference-client.js';

const text = new TextEncoder();
let requests = 0;
const put = (key: string, value: string, map = 'users') => ({
  requestId: ++requests,
  kind: OperationKind.PUT,
  map,
  key,
  value: text.encode(value),
});
const remove = (key: string, map = 'users') => ({
  requestId: ++requests,
  kind: OperationKind.REMOVE,
  map,
  key,
});
const write = (client: FakeClient, ...operations: object[]): void =>
  client.say({ case: 'operations', value: { operations } });
const valuesOf = (client: ReferenceClient, id: number) => {
  client.take();
  const states = client.followed.get(id)!.view.states;
  return Object.fromEntries([...states].map(([key, { value }]) => [key, value]));
};

t.test('SUB-12: a snapshot shows the records as they stand, then changes go on', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, put('a', '1'), put('b', '2'), put('c', '3'), remove('b'));
  bench.settle();
  const client = new ReferenceClient(bench, 9);
  client.follow(1, { map: 'users', start: StartFrom.SNAPSHOT });
  bench.settle();
  t.same(valuesOf(client, 1), { a: '1', c: '3' });
  t.ok(client.followed.get(1)!.isDone);
  write(writer, put('d', '4'), remove('a'));
  bench.settle();
  t.same(valuesOf(client, 1), { c: '3', d: '4' });
});

t.test('SUB-13: after a lost connection what was missed comes, and nothing else', async (t) => {
  const bench = new TestBench({ workers: 2 });
  const writer = bench.client();
  write(writer, put('a', '1'), put('b', '2'));
  const client = new ReferenceClient(bench, 9);
  client.follow(1, { map: 'users', start: StartFrom.SNAPSHOT });
  bench.settle();
  bench.second();
  client.disconnect();
  write(writer, put('c', '3'), remove('a'));
  bench.settle();
  client.connect(bench);
  bench.settle();
  t.same(valuesOf(client, 1), { b: '2', c: '3' });
  const slices = client.connection.frames.flatMap(({ body }) =>
    body.case === 'catchUp' ? body.value.slices : [],
  );
  t.equal(slices.flatMap(({ events }) => events).length, 2);
});
