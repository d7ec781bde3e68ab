import { Code, packStamp } from '@tidewire/core';
import { AckLevel, Level, OperationKind, ValueKind } from '@tidewire/schemas';
import { test } from 'tap';
import { applied, connected, reconnect, rejectionOf } from './connected.js';
import { settled } from './fake-environment.js';

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

test('CLIENT-1: operations called in one tick leave in one frame and are answered by id', async (t) => {
  const { client, environment } = await connected();
  const map = client.map<{ n: number }>('scores');
  const calls = [map.put('a', { n: 1 }), map.remove('b'), map.get('c')] as const;
  await settled();
  const { batches } = environment.socket;
  t.equal(batches.length, 1);
  const [put, remove, get] = batches[0];
  t.match(put, {
    kind: OperationKind.PUT,
    map: 'scores',
    key: 'a',
    value: utf8('{"n":1}'),
    valueKind: ValueKind.JSON,
    node: 0xabcdef,
    ackLevel: AckLevel.FAST,
  });
  t.match(remove, { kind: OperationKind.REMOVE, key: 'b' });
  t.match(get, { kind: OperationKind.GET, key: 'c', stamp: 0n });
  t.ok(remove.stamp > put.stamp, 'every write has its own stamp');
  environment.socket.answer(
    { requestId: get.requestId, outcome: Code.FOUND, value: utf8('{"n":3}'), sequence: 4n },
    applied(remove),
    applied(put, { level: Level.DATABASE }),
  );
  t.match(await calls[0], { outcome: 'APPLIED', level: 'DATABASE', partition: 85, sequence: 12 });
  t.match(await calls[0], { stamp: { ms: 5_000_000, counter: 1, node: 0xabcdef } });
  t.match(await calls[1], { outcome: 'APPLIED', level: 'MEMORY' });
  t.match(await calls[2], { key: 'c', value: { n: 3 }, sequence: 4, storedAs: 'json' });
});

test('CLIENT-2: SUPERSEDED and DUPLICATE are results, ABSENT is undefined', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const calls = [map.put('a', 1), map.put('b', 1), map.get('c')] as const;
  await settled();
  const [a, b, c] = environment.socket.operations;
  const winner = { stamp: packStamp(6_000_000, 2), node: 5 };
  environment.socket.answer(
    applied(a, { outcome: Code.SUPERSEDED, ...winner }),
    applied(b, { outcome: Code.DUPLICATE }),
    { requestId: c.requestId, outcome: Code.ABSENT },
  );
  t.match(await calls[0], { outcome: 'SUPERSEDED', stamp: { ms: 6_000_000, counter: 2, node: 5 } });
  t.match(await calls[1], { outcome: 'DUPLICATE' });
  t.equal(await calls[2], undefined);
});

test('CLIENT-3: a refusal rejects under its code; NOT_YET_DURABLE tells what was applied', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const calls = [map.put('a', 1), map.put('b', 1, { safe: true })];
  await settled();
  const [a, b] = environment.socket.operations;
  t.equal(b.ackLevel, AckLevel.SAFE);
  environment.socket.answer(
    { requestId: a.requestId, refusal: Code.OVERLOADED, detail: 'Full.', retryAfterMs: 50 },
    applied(b, { refusal: Code.NOT_YET_DURABLE }),
  );
  await t.rejects(calls[0], {
    code: Code.OVERLOADED,
    name: 'OVERLOADED',
    detail: 'Full.',
    retryAfterMs: 50,
    result: undefined,
  });
  await t.rejects(calls[1], {
    code: Code.NOT_YET_DURABLE,
    name: 'NOT_YET_DURABLE',
    result: { outcome: 'APPLIED', level: 'MEMORY' },
  });
});

test('CLIENT-4: JSON text and bytes are sent and returned bit for bit', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const text = '{"a":1,"a":1e400,"b":"\\ud800\\u0000"}';
  const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
  const calls = [map.putJson('a', text), map.putBytes('b', bytes), map.get('b'), map.get('c')];
  await settled();
  const [a, b, getB, getC] = environment.socket.operations;
  t.same(a.value, utf8(text));
  t.equal(b.valueKind, ValueKind.BYTES);
  t.same(b.value, bytes);
  environment.socket.answer(
    applied(a),
    applied(b),
    { ...found(getB.requestId), value: bytes, valueKind: ValueKind.BYTES },
    { ...found(getC.requestId), value: utf8('{no'), valueKind: ValueKind.JSON },
  );
  t.match(await calls[2], { storedAs: 'bytes', value: bytes, bytes });
  const broken = (await calls[3]) as { bytes: Uint8Array; value: unknown };
  t.same(broken.bytes, utf8('{no'));
  t.throws(() => broken.value, { code: Code.INVALID, message: /not valid JSON/ });
});

test('CLIENT-5: names, values and options beyond the announced limits never leave', async (t) => {
  const { client, environment } = await connected({ keyBytesMax: 8, valueBytesMax: 10 });
  const map = client.map('m');
  await t.rejects(map.put('\ud800', 1), { code: Code.INVALID, message: /lone surrogate/ });
  await t.rejects(map.get('a\0'), { code: Code.INVALID, message: /NUL/ });
  await t.rejects(map.get(''), { code: Code.INVALID });
  await t.rejects(map.get('äöüäö'), { code: Code.TOO_LARGE, message: /10 bytes, limit 8/ });
  await t.rejects(client.map('x'.repeat(129)).get('k'), { code: Code.TOO_LARGE });
  await t.rejects(
    client.map('\udfff').subscribe(() => {}),
    { code: Code.INVALID },
  );
  await t.rejects(map.put('k', 'x'.repeat(9)), { code: Code.TOO_LARGE });
  await t.rejects(map.put('k', undefined), { code: Code.INVALID, message: /no JSON form/ });
  await t.rejects(map.put('k', 1, { ttlMs: 0 }), { code: Code.INVALID });
  const stamp = { ms: -1, counter: 0, node: 1 };
  await t.rejects(map.put('k', 1, { stamp }), { code: Code.INVALID });
  await settled();
  t.equal(environment.socket.operations.length, 0);
});

test('CLIENT-6: lifetime and own stamp travel with the write', async (t) => {
  const { client, environment } = await connected();
  const stamp = { ms: 4_000_000, counter: 9, node: 3 };
  client.map('m').put('k', 1, { stamp, ttlMs: 2 ** 45 });
  await settled();
  t.match(environment.socket.operations[0], {
    stamp: packStamp(4_000_000, 9),
    node: 3,
    ttlMs: BigInt(2 ** 45),
  });
});

test('CLIENT-7: a frame keeps the announced limits, the rest waits for the window', async (t) => {
  const limits = { frameOperationsMax: 3, frameBytesMax: 400, inFlightMax: 5 };
  const { client, environment } = await connected({ ...limits, valueBytesMax: 300 });
  const map = client.map('m');
  const calls = Array.from({ length: 8 }, (_, i) => map.put(`k${i}`, i));
  await settled();
  const { socket } = environment;
  t.same(
    socket.batches.map((batch) => batch.length),
    [3, 2],
    'three by the frame, two more by the window',
  );
  socket.answer(applied(socket.operations[1]));
  t.same(
    socket.batches.map((batch) => batch.length),
    [3, 2, 1],
    'one answered, one more sent',
  );
  socket.answer(...socket.operations.filter((_, i) => i !== 1).map((each) => applied(each)));
  socket.answer(...socket.operations.slice(6).map((each) => applied(each)));
  t.equal((await Promise.all(calls)).length, 8);
  map.putJson('x', 'x'.repeat(290));
  map.putJson('y', 'y'.repeat(290));
  await settled();
  t.same(
    socket.batches.slice(-2).map((batch) => batch.length),
    [1, 1],
    'two that are too long together go in two frames',
  );
});

test('CLIENT-8: a full queue refuses with OVERLOADED and sends nothing of it', async (t) => {
  const { client } = await connected({ inFlightMax: 1 });
  const map = client.map('m');
  const calls = Array.from({ length: 16_384 }, () => map.get('k'));
  const refused = await rejectionOf(map.get('one too many'));
  t.match(refused, { code: Code.OVERLOADED });
  client.close();
  t.equal((await Promise.allSettled(calls)).length, 16_384);
});

test('CLIENT-9: after a lost connection the unanswered are sent again, in order, same stamp', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const calls = [map.put('a', 1), map.put('b', 2), map.get('c')];
  await settled();
  const first = environment.socket;
  first.answer(applied(first.operations[0]));
  first.drop();
  const late = map.put('d', 4);
  await settled();
  environment.pass(1000);
  environment.socket.welcome();
  const resent = environment.socket.operations;
  t.same(
    resent.map(({ key }) => key),
    ['b', 'c', 'd'],
  );
  t.equal(resent[0].stamp, first.operations[1].stamp);
  environment.socket.answer(
    applied(resent[0], { outcome: Code.DUPLICATE }),
    { requestId: resent[1].requestId, outcome: Code.ABSENT },
    applied(resent[2]),
  );
  t.match(await calls[1], { outcome: 'DUPLICATE' });
  t.equal(await calls[2], undefined);
  t.match(await late, { outcome: 'APPLIED' });
});

test('CLIENT-10: an unanswered operation is given up in time: UNCERTAIN if it was a sent write', async (t) => {
  const { client, environment } = await connected({ inFlightMax: 2 }, { operationTimeoutMs: 500 });
  const map = client.map('m');
  const calls = [map.put('sent', 1), map.get('sent'), map.put('waiting', 1)];
  await settled();
  environment.pass(499);
  t.equal(await rejectionOf(calls[0]), 'pending');
  environment.pass(1);
  t.match(await rejectionOf(calls[0]), { code: Code.UNCERTAIN });
  t.match(await rejectionOf(calls[1]), { code: Code.UNAVAILABLE });
  t.match(await rejectionOf(calls[2]), { code: Code.UNAVAILABLE, message: /Nothing was done/ });
  const { socket } = environment;
  socket.answer(applied(socket.operations[0]));
  t.equal(client.state, 'connected', 'an answer that comes too late is no fault');
});

test('CLIENT-11: close settles everything once and stops all timers', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const sent = map.put('a', 1);
  await settled();
  client.close();
  t.match(await rejectionOf(sent), { code: Code.UNCERTAIN });
  t.match(await rejectionOf(map.put('b', 1)), { code: Code.UNAVAILABLE });
  t.match(await rejectionOf(map.subscribe(() => {})), { code: Code.UNAVAILABLE });
  t.equal(environment.socket.closedWith, 1000);
  t.equal(environment.timerCount, 0);
  client.close();
  t.equal(client.state, 'closed');
});

test('CLIENT-12: an answer of the wrong kind rejects its operation and ends the connection', async (t) => {
  const { client, environment } = await connected();
  const get = client.map('m').get('a');
  await settled();
  environment.socket.answer(applied(environment.socket.operations[0]));
  t.match(await rejectionOf(get), { code: Code.INVALID });
  t.equal(client.state, 'reconnecting');
  t.equal(environment.socket.closedWith, 4000 + Code.INVALID);
  reconnect(environment);
  t.equal(environment.socket.operations.length, 0, 'it is not sent again');
});

function found(requestId: number): { requestId: number; outcome: Code } {
  return { requestId, outcome: Code.FOUND };
}
