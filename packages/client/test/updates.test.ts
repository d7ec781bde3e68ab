import { Code, packStamp } from '@tidewire/core';
import { OperationKind, ValueKind } from '@tidewire/schemas';
import { test } from 'tap';
import { connect } from '#lib/client.js';
import type { TidewireError } from '#lib/error.js';
import { applied, connected, reconnect, rejectionOf } from './connected.js';
import { FakeEnvironment, settled } from './fake-environment.js';
import { MEMORY } from './fake-socket.js';
import { utf8 } from './frames.js';

test('CLIENT-150: updates carry their argument and resolve with the new entry', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const calls = [
    map.increment('a'),
    map.minimum('b', -2.5),
    map.maximum('c', 2n ** 70n),
    map.merge('d', { x: null }, { safe: true, ttlMs: 9 }),
    map.append('e', 'x', { keep: 3 }),
  ];
  await settled();
  const sent = environment.socket.operations;
  const what = (i: number): unknown[] => [sent[i].kind, new TextDecoder().decode(sent[i].value)];
  t.same(what(0), [OperationKind.INCREMENT, '1']);
  t.same(what(1), [OperationKind.MINIMUM, '-2.5']);
  t.same(what(2), [OperationKind.MAXIMUM, '1180591620717411303424']);
  t.same(what(3), [OperationKind.MERGE, '{"x":null}']);
  t.same(what(4), [OperationKind.APPEND, '"x"']);
  t.match(sent[4], { keep: 3, stamp: 0n });
  const value = utf8('[42]');
  environment.socket.answer(
    ...sent.map((each) => applied(each, { value, valueKind: ValueKind.JSON })),
  );
  t.match(await calls[0], { key: 'a', value: [42], sequence: 12, stamp: { counter: 1 } });
  t.match(await Promise.all(calls), Array(5).fill({ value: [42] }));
});

test('CLIENT-151: a condition makes a write an update; PRECONDITION has the entry that stands', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const stamp = { ms: 4_000_000, counter: 7, node: 3 };
  const calls = [map.put('a', 1, { ifAbsent: true }), map.remove('b', { ifStamp: stamp })];
  await settled();
  const [a, b] = environment.socket.operations;
  t.match(a, { kind: OperationKind.PUT, ifAbsent: true, ifStamp: 0n });
  t.match(b, { kind: OperationKind.REMOVE, ifStamp: packStamp(4_000_000, 7), ifNode: 3 });
  const standing = { value: utf8('5'), valueKind: ValueKind.JSON, sequence: 3n };
  environment.socket.answer(
    { requestId: a.requestId, refusal: Code.PRECONDITION, ...standing },
    { requestId: b.requestId, refusal: Code.PRECONDITION },
  );
  const refused = (await rejectionOf(calls[0])) as TidewireError;
  t.match(refused, { code: Code.PRECONDITION, present: { key: 'a', value: 5, sequence: 3 } });
  t.equal(((await rejectionOf(calls[1])) as TidewireError).present, undefined);
  await t.rejects(map.put('a', 1, { ifAbsent: true, ifStamp: stamp }), { code: Code.INVALID });
  await t.rejects(map.append('a', 1, { keep: 0 }), { code: Code.INVALID });
  await t.rejects(map.merge('a', undefined), { code: Code.INVALID });
});

test('CLIENT-152: an update sent again says under which memory it was sent first', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const calls = [map.increment('a'), map.put('p', 1), map.put('q', 1, { ifAbsent: true })];
  await settled();
  t.same(memories(environment.socket.operations), [0n, 0n, 0n], 'for the first time');
  reconnect(environment, { memory: MEMORY + 1n });
  t.same(memories(environment.socket.operations), [MEMORY, 0n, MEMORY], 'updates only');
  reconnect(environment, { memory: MEMORY + 1n });
  t.same(memories(environment.socket.operations), [MEMORY, 0n, MEMORY], 'the first one stays');
  const standing = { value: utf8('9'), valueKind: ValueKind.JSON };
  const [{ requestId }] = environment.socket.operations;
  environment.socket.answer({ requestId, refusal: Code.UNCERTAIN, ...standing });
  t.match(await rejectionOf(calls[0]), { code: Code.UNCERTAIN, present: { value: 9 } });
});

test('CLIENT-152: an update that the loss of a connection kept from being sent is sent as new', async (t) => {
  const { client, environment } = await connected();
  environment.socket.drop();
  const call = client.map('m').increment('a');
  await settled();
  environment.pass(10_000);
  environment.socket.welcome({}, { memory: MEMORY + 1n });
  t.same(memories(environment.socket.operations), [0n]);
  client.close();
  await rejectionOf(call);
});

test('UPDATE-31: a Welcome that names no memory is refused', async (t) => {
  const environment = new FakeEnvironment();
  const opening = connect('ws://server:7271', { environment });
  environment.socket.welcome({}, { memory: 0n });
  await t.rejects(opening, { code: Code.INVALID, message: /names no memory/ });
});

test('CLIENT-153: every connection of a client has one resume token of its own', async (t) => {
  const { client, environment } = await connected();
  const token = (): unknown => environment.socket.bodies('hello')[0].value;
  t.match(token(), { resumeToken: new Uint8Array(16).fill(7) });
  reconnect(environment);
  t.match(token(), { resumeToken: new Uint8Array(16).fill(7) });
  client.close();
});

test('CLIENT-154: every frame says from which request on answers are wanted', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const first = map.put('a', 1);
  map.increment('b');
  await settled();
  const { socket } = environment;
  const [a, b] = socket.operations;
  socket.answer(applied(a));
  await first;
  map.increment('c');
  await settled();
  const frames = socket.bodies('operations').map((body) => body.value as { lowestPending: number });
  t.same(
    frames.map(({ lowestPending }) => lowestPending),
    [a.requestId, b.requestId],
  );
});

test('CLIENT-155: an answer that does not repeat a long value is completed by a get', async (t) => {
  const { client, environment } = await connected();
  const call = client.map('m').merge('a', { x: 1 });
  await settled();
  environment.socket.answer(applied(environment.socket.operations[0]));
  await settled();
  const { requestId, kind } = environment.socket.operations[1];
  t.equal(kind, OperationKind.GET);
  const found = { outcome: Code.FOUND, value: utf8('{"x":1}'), valueKind: ValueKind.JSON };
  environment.socket.answer({ requestId, ...found });
  t.match(await call, { value: { x: 1 } });
});

test('CLIENT-157: execute names a processor and resolves with what it left', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const calls = [map.execute('a', 'withdraw', { amount: 2 }), map.execute('b', 'drop')];
  await settled();
  const [a, b] = environment.socket.operations;
  t.match(a, { kind: OperationKind.EXECUTE, processor: 'withdraw', value: utf8('{"amount":2}') });
  t.match(b, { processor: 'drop', value: new Uint8Array(0) });
  const standing = { value: utf8('5'), valueKind: ValueKind.JSON };
  environment.socket.answer(
    { requestId: a.requestId, refusal: Code.FAILED, detail: 'RangeError: less', ...standing },
    { requestId: b.requestId, outcome: Code.ABSENT },
  );
  t.match(await rejectionOf(calls[0]), { name: 'FAILED', detail: 'RangeError: less' });
  await settled();
  const { requestId } = environment.socket.operations[2];
  environment.socket.answer({ requestId, outcome: Code.ABSENT });
  t.equal(await calls[1], undefined);
});

function memories(operations: readonly { firstMemory: bigint }[]): bigint[] {
  return operations.map(({ firstMemory }) => firstMemory);
}
