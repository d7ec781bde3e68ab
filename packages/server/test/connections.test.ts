import { execSync } from 'node:child_process';
import { closeCodeOf, HELLO_DEADLINE_MS, SUBSCRIPTIONS_MAX } from '@tidewire/core';
import { Code } from '@tidewire/schemas';
import t from 'tap';
import { WebSocket } from 'ws';
import { Crowd } from './crowd.js';
import { get, put } from './operations.js';
import { encodeFrame, RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const CROWD = 10_000;
const PROCESSES = 2;
const GROUP = 500;
/** Node raises its own limit of open files as far as this. */
const FILES_MAX = Number(execSync('ulimit -Hn', { encoding: 'utf8' }).trim()) || Infinity;

const server = await RunningServer.start(t);

t.test(
  `CONN-1: ${CROWD} connections at once, each subscribed to its own key, each get their event`,
  async (t) => {
    t.ok(FILES_MAX > CROWD * 1.1, 'this machine allows so many open files');
    const share = CROWD / PROCESSES;
    const crowds = Array.from(
      { length: PROCESSES },
      (_, i) => new Crowd(server.url, i * share, share),
    );
    t.teardown(() => {
      for (const crowd of crowds) crowd.kill();
    });
    for (const crowd of crowds) await crowd.said(`joined ${share}`);
    t.equal((await server.info()).connections, CROWD);
    const writer = await RawClient.connect(server.url, 99);
    for (let from = 0; from < CROWD; from += GROUP) {
      const keys = Array.from({ length: GROUP }, (_, i) => `k${from + i}`);
      const results = await writer.operate(...keys.map((key) => put('crowd', key, `"${key}"`)));
      t.ok(results.every(({ outcome }) => outcome === Code.APPLIED));
    }
    for (const crowd of crowds) {
      await crowd.said('heard');
      crowd.ask('report');
      await crowd.said(`right ${share}`);
    }
    await writer.ping();
    writer.close();
  },
);

t.test('CONN-2: Welcome announces version, epoch and every limit', async (t) => {
  const client = await RawClient.connect(server.url);
  t.teardown(() => client.close());
  t.match(client.welcome, {
    protocolVersion: 1,
    epoch: 1n,
    limits: { frameBytesMax: 65_536, frameOperationsMax: 1024, inFlightMax: 1024 },
  });
  for (const [name, limit] of Object.entries(client.welcome?.limits ?? {}))
    if (typeof limit === 'number') t.ok(limit > 0, name);
});

const REFUSED: Record<string, [say: (client: RawClient) => void, code: Code]> = {
  'CONN-3: a frame before Hello': [
    (client) => client.say({ case: 'ping', value: { token: 1n } }),
    Code.UNAUTHENTICATED,
  ],
  'CONN-4: a text message': [(client) => client.socket.send('hello'), Code.INVALID],
  'CONN-5: a Hello of another protocol version': [
    (client) => client.say({ case: 'hello', value: { protocolVersion: 2, node: 1 } }),
    Code.INVALID,
  ],
  'CONN-6: a Hello without a node, or with one beyond 24 bits': [
    (client) => client.say({ case: 'hello', value: { protocolVersion: 1, node: 2 ** 24 } }),
    Code.INVALID,
  ],
  'CONN-7: a second Hello': [
    (client) => {
      const hello = encodeFrame({ case: 'hello', value: { protocolVersion: 1, node: 1 } });
      client.sayBytes(hello);
      client.sayBytes(hello);
    },
    Code.INVALID,
  ],
  'CONN-8: a frame longer than announced': [
    (client) => client.sayBytes(new Uint8Array(65_537)),
    Code.TOO_LARGE,
  ],
  'CONN-9: silence instead of a Hello': [() => {}, Code.UNAUTHENTICATED],
};

for (const [title, [say, code]] of Object.entries(REFUSED))
  t.test(`${title} is answered by a named error and its close code`, async (t) => {
    const before = performance.now();
    const client = await RawClient.open(server.url);
    say(client);
    const { code: closeCode, reason } = await client.closed;
    t.equal(closeCode, closeCodeOf(code));
    t.match(client.errors.at(-1), { code, detail: reason });
    if (title.startsWith('CONN-9')) t.ok(performance.now() - before >= HELLO_DEADLINE_MS - 200);
  });

t.test(
  'CONN-10: more operations in a frame than announced are TOO_LARGE, and none is done',
  async (t) => {
    const client = await RawClient.connect(server.url);
    const operations = Array.from({ length: 1025 }, (_, i) => put('many', 'k', String(i)));
    client.say({ case: 'operations', value: { operations } });
    t.equal((await client.closed).code, closeCodeOf(Code.TOO_LARGE));
    const reader = await RawClient.connect(server.url);
    t.teardown(() => reader.close());
    t.match(await reader.operate(get('many', 'k')), [{ outcome: Code.ABSENT }]);
  },
);

t.test(
  'SUB-4: subscriptions beyond the limit, of no map, or of a used id are refused, not the rest',
  async (t) => {
    const client = await RawClient.connect(server.url);
    t.teardown(() => client.close());
    for (let i = 0; i < SUBSCRIPTIONS_MAX; i++) await client.subscribe('many', `k${i}`);
    t.equal(client.errors.length, 0);
    const refused = async (subscriptionId: number, map: string, key = ''): Promise<Code> => {
      const count = client.errors.length;
      client.say({ case: 'subscribe', value: { subscriptionId, map, key } });
      await client.until(() => client.errors.length > count);
      t.equal(client.errors.at(-1)?.subscriptionId, subscriptionId);
      return client.errors.at(-1)?.code as Code;
    };
    t.equal(await refused(5000, 'many', 'one more'), Code.TOO_LARGE);
    t.equal(await refused(1, 'many'), Code.INVALID);
    t.equal(await refused(5001, ''), Code.INVALID);
    t.equal(await refused(5002, 'm\0'), Code.INVALID);
    t.equal(await refused(5003, 'm'.repeat(129)), Code.TOO_LARGE);
    client.say({ case: 'unsubscribe', value: { subscriptionId: 1 } });
    await client.until(() => client.has('unsubscribed'));
    const writer = await RawClient.connect(server.url);
    t.teardown(() => writer.close());
    await writer.operate(put('many', 'k0', '1'), put('many', 'k1', '1'));
    await client.until(() => client.events.length > 0);
    t.match(client.events, [{ key: 'k1' }]);
  },
);

t.test('CONN-11: connections that are refused leave nothing behind', async (t) => {
  const socket = new WebSocket(server.url);
  socket.on('error', () => {});
  socket.terminate();
  const client = await RawClient.connect(server.url);
  t.teardown(() => client.close());
  await server.until(({ connections }) => connections === 1);
  t.equal((await server.info()).connections, 1);
});
