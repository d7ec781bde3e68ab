import { Code } from '@tidewire/core';
import { type Operation, OperationKind } from '@tidewire/schemas';
import { test } from 'tap';
import { applied, connected, reconnect, rejectionOf } from './connected.js';
import { settled } from './fake-environment.js';

const here = { whileConnected: true };

test('LIFE-42: a put while connected says so on the wire', async (t) => {
  const { client, environment } = await connected();
  const call = client.map('m').put('a', 1, here);
  await settled();
  const [put] = environment.socket.operations;
  t.match(put, { kind: OperationKind.PUT, whileConnected: true, node: client.node });
  environment.socket.answer(applied(put));
  t.match(await call, { outcome: 'APPLIED' });
});

test('LIFE-42: it has no condition and no foreign stamp', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const stamp = { ...client.nextStamp(), node: client.node + 1 };
  for (const more of [{ ifAbsent: true }, { ifStamp: client.nextStamp() }, { stamp }])
    t.match(await rejectionOf(map.put('a', 1, { ...here, ...more })), { code: Code.INVALID });
  t.equal(environment.socket.operations.length, 0);
});

test('LIFE-43: a connection on which nothing was kept puts it again, with a stamp of then', async (t) => {
  const { client, environment } = await connected();
  const calls = [
    client.map('m').put('a', { n: 1 }, { ...here, ttlMs: 5000 }),
    client.map('m').put('b', 2),
    client.map('m').put('c', 3, here),
  ];
  await settled();
  const [put, , superseded] = environment.socket.operations;
  environment.socket.answer(
    ...environment.socket.operations.map((each) =>
      applied(each, each === superseded ? { outcome: Code.SUPERSEDED } : {}),
    ),
  );
  await Promise.all(calls);
  reconnect(environment);
  await settled();
  const again = environment.socket.operations;
  t.equal(again.length, 1);
  const { map, key, value, valueKind, ttlMs, whileConnected } = put;
  t.match(again[0], { map, key, value, valueKind, ttlMs, whileConnected });
  t.ok(again[0].stamp > put.stamp);
  environment.socket.answer(applied(again[0]));
  await settled();
  reconnect(environment);
  await settled();
  t.equal(environment.socket.operations.length, 1, 'as often as it takes');
  reconnect(environment, { holdsPresence: true });
  await settled();
  t.equal(environment.socket.operations.length, 1, 'which is still unanswered and sent again');
});

test('LIFE-43: on a connection that was taken for the last one it stands', async (t) => {
  const { client, environment } = await connected();
  const call = client.map('m').put('a', 1, here);
  await settled();
  environment.socket.answer(applied(environment.socket.operations[0]));
  await call;
  reconnect(environment, { holdsPresence: true });
  await settled();
  t.equal(environment.socket.operations.length, 0);
});

test('LIFE-43: what the client has written since takes its place', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const calls = ['a', 'b', 'c', 'd'].map((key) => map.put(key, 1, here));
  await settled();
  environment.socket.answer(...environment.socket.operations.map((each) => applied(each)));
  await Promise.all(calls);
  environment.socket.drop();
  const later = [map.remove('a'), map.put('b', 2), map.increment('c'), map.put('d', 4, here)];
  environment.pass(10_000);
  environment.socket.welcome();
  await settled();
  const sent = environment.socket.operations.map(
    ({ key, kind }) => `${OperationKind[kind]} ${key}`,
  );
  t.same(sent.sort(), ['INCREMENT c', 'PUT b', 'PUT d', 'REMOVE a'], 'and nothing else');
  client.close();
  for (const call of later) t.match(await rejectionOf(call), { code: Code.UNCERTAIN });
});

test('LIFE-43: a refusal of the repeated put is reported', async (t) => {
  const { client, environment } = await connected();
  const call = client.map('m').put('a', 1, here);
  await settled();
  environment.socket.answer(applied(environment.socket.operations[0]));
  await call;
  reconnect(environment);
  await settled();
  const [{ requestId }] = environment.socket.operations;
  environment.socket.answer({ requestId, refusal: Code.OVERLOADED });
  await settled();
  await settled();
  t.match(environment.reported, [{ code: Code.OVERLOADED }]);
});

/** A put whose answer was lost with its connection, and which the next connection answers DUPLICATE. */
async function putTwice(
  welcome: Parameters<typeof reconnect>[1],
): Promise<Awaited<ReturnType<typeof connected>> & { put: Operation }> {
  const scene = await connected();
  const call = scene.client.map('m').put('a', 1, here);
  await settled();
  const [put] = scene.environment.socket.operations;
  reconnect(scene.environment, welcome);
  const [same] = scene.environment.socket.operations;
  scene.environment.socket.answer(applied(same, { outcome: Code.DUPLICATE }));
  await call;
  await settled();
  return { ...scene, put };
}

test('LIFE-46: a DUPLICATE on a connection on which nothing was kept is put again', async (t) => {
  for (const welcome of [{}, { epoch: 8n }]) {
    const { environment, put } = await putTwice(welcome);
    const [same, again, ...more] = environment.socket.operations;
    t.equal(same.stamp, put.stamp);
    t.match(again, { map: 'm', key: 'a', whileConnected: true, value: put.value });
    t.ok(again.stamp > put.stamp);
    t.same(more, []);
    environment.socket.answer(applied(again));
    await settled();
    reconnect(environment);
    await settled();
    t.match(environment.socket.operations, [{ key: 'a' }], 'it is still held');
  }
});

test('LIFE-46: one on a connection that was taken for the last one is not', async (t) => {
  const { environment } = await putTwice({ holdsPresence: true });
  t.equal(environment.socket.operations.length, 1);
});
