import { CLIENT_LOG_BYTES_MAX, Code } from '@tidewire/core';
import { Level, type Operation } from '@tidewire/schemas';
import { test } from 'tap';
import type { Client } from '#lib/client.js';
import { applied, connected, reconnect } from './connected.js';
import { type FakeEnvironment, settled } from './fake-environment.js';
import { EPOCH } from './fake-socket.js';

const NEXT = { epoch: EPOCH + 1n };
const ASK_MS = 1000;

/** Answers all that the present connection has not been answered; partition and sequence by key. */
async function answerAll(
  environment: FakeEnvironment,
  more: Parameters<typeof applied>[1] = {},
): Promise<void> {
  await settled();
  const { operations } = environment.socket;
  const open = operations.slice(environment.socket.answered);
  environment.socket.answered = operations.length;
  const places = open.map(({ key }) => ({
    partition: key.length,
    sequence: BigInt(key.charCodeAt(0)),
  }));
  environment.socket.answer(
    ...open.map((operation, i) => applied(operation, { ...places[i], ...more })),
  );
  await settled();
}

async function put(client: Client, environment: FakeEnvironment, ...keys: string[]): Promise<void> {
  const writes = keys.map((key) => client.map('m').put(key, `of ${key}`));
  await answerAll(environment);
  await Promise.all(writes);
}

function sent(environment: FakeEnvironment): string[] {
  return environment.socket.operations.map(({ key }) => key);
}

function asked(environment: FakeEnvironment): number[][] {
  const bodies = environment.socket.bodies('askDurable');
  return bodies.map((body) =>
    body.case === 'askDurable' ? [...body.value.partitions].sort() : [],
  );
}

function durable(environment: FakeEnvironment, partition: number, key: string): void {
  const reached = [{ partition, sequence: BigInt(key.charCodeAt(0)) }];
  environment.socket.push({ case: 'progress', value: { epoch: EPOCH, durable: reached } });
}

test('CLIENT-160: what a new start of the server may have lost is sent again under its stamp', async (t) => {
  const { client, environment } = await connected();
  await put(client, environment, 'a', 'b', 'aa');
  const removed = client.map('m').remove('c');
  await answerAll(environment);
  await removed;
  const before = environment.socket.operations;
  reconnect(environment, NEXT);
  await answerAll(environment);
  const again = environment.socket.operations;
  const seen = ({ kind, key, value, stamp, node }: Operation) => ({
    kind,
    key,
    value,
    stamp,
    node,
  });
  t.same(new Set(again.map(seen)), new Set(before.map(seen)));
  reconnect(environment, { epoch: NEXT.epoch + 1n });
  await answerAll(environment);
  t.equal(environment.socket.operations.length, 4, 'and once more, should that be lost');
});

test('CLIENT-161: what the database has is not', async (t) => {
  const { client, environment } = await connected();
  await put(client, environment, 'a', 'b', 'c', 'aa');
  t.same(asked(environment), []);
  environment.pass(ASK_MS);
  t.same(asked(environment), [[1, 2]], 'the partitions of what it has written');
  environment.pass(10 * ASK_MS);
  t.equal(asked(environment).length, 1, 'one question at a time');
  durable(environment, 1, 'b');
  environment.pass(ASK_MS);
  durable(environment, 2, 'z');
  environment.pass(ASK_MS);
  t.same(asked(environment), [[1, 2], [1, 2], [1]]);
  reconnect(environment, NEXT);
  await answerAll(environment);
  t.same(sent(environment), ['c']);
  t.same(environment.socket.bodies('hello').length, 1);
});

test('CLIENT-161: nor what is safe, superseded, an update, or of a connection', async (t) => {
  const { client, environment } = await connected();
  const map = client.map('m');
  const writes: Promise<unknown>[] = [map.put('a', 1, { safe: true })];
  await answerAll(environment, { level: Level.DATABASE });
  writes.push(map.put('b', 1));
  await answerAll(environment, { outcome: Code.SUPERSEDED });
  writes.push(map.put('c', 1, { ifAbsent: true }), map.put('d', 1, { whileConnected: true }));
  await answerAll(environment);
  await Promise.all(writes);
  environment.pass(ASK_MS);
  t.same(asked(environment), []);
  reconnect(environment, { ...NEXT, holdsPresence: true });
  await settled();
  t.same(sent(environment), []);
});

test('CLIENT-162: of a key its latest write is sent again', async (t) => {
  const { client, environment } = await connected();
  await put(client, environment, 'a', 'a');
  const [, last] = environment.socket.operations;
  reconnect(environment, NEXT);
  await settled();
  t.match(environment.socket.operations, [{ key: 'a', stamp: last.stamp }]);
  t.equal(environment.socket.operations.length, 1);
});

test('CLIENT-163: after a lost connection to the same start nothing is, nor to another database', async (t) => {
  const { client, environment } = await connected();
  await put(client, environment, 'a');
  reconnect(environment);
  await settled();
  t.same(sent(environment), []);
  environment.pass(ASK_MS);
  t.same(asked(environment), [[1]], 'but it is asked for');
  reconnect(environment, { epoch: EPOCH + 1n, store: 1n });
  await settled();
  t.same(sent(environment), []);
});

test('CLIENT-164: one that is refused for now is tried again, many go one after the other', async (t) => {
  const { client, environment } = await connected();
  const keys = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(0x4e00 + i));
  await put(client, environment, ...keys);
  reconnect(environment, NEXT);
  await settled();
  t.ok(environment.socket.operations.length < 300);
  await answerAll(environment, { outcome: Code.UNSPECIFIED, refusal: Code.OVERLOADED });
  const refused = environment.socket.operations.length;
  environment.pass(5000);
  for (let i = 0; i < 20; i++) await answerAll(environment);
  t.equal(environment.socket.operations.length, refused + 1000);
  t.equal(new Set(sent(environment)).size, 1000);
});

test('CLIENT-165: what a client keeps has a limit, and is a copy', async (t) => {
  const { client, environment } = await connected({
    valueBytesMax: 16 << 20,
    frameBytesMax: 32 << 20,
  });
  const value = new Uint8Array(15 << 20);
  for (const key of ['a', 'b', 'c', 'd', 'e', 'f']) {
    const written = client.map('m').putBytes(key, value);
    await answerAll(environment);
    await written;
  }
  value.fill(1);
  reconnect(environment, NEXT);
  await settled();
  t.equal(sent(environment).length, Math.floor(CLIENT_LOG_BYTES_MAX / value.length));
  t.equal(environment.socket.operations[0].value[0], 0);
  client.close();
  t.equal(environment.timerCount, 0);
});

test('CLIENT-162: a new write takes the place of what is still to be sent again', async (t) => {
  const { client, environment } = await connected();
  const keys = Array.from({ length: 1000 }, (_, i) => String.fromCharCode(0x4e00 + i));
  await put(client, environment, ...keys);
  reconnect(environment, NEXT);
  const last = keys[999];
  const written = client.map('m').put(last, 'anew');
  for (let i = 0; i < 20; i++) await answerAll(environment);
  await written;
  const ofLast = environment.socket.operations.filter(({ key }) => key === last);
  t.equal(ofLast.length, 1);
  t.equal(Buffer.from(ofLast[0].value).toString(), '"anew"');
});
