import { setTimeout as delay } from 'node:timers/promises';
import { Code } from '@tidewire/schemas';
import t from 'tap';
import { get, put, textOf } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const POLL_MS = 10;
const KEYS = Array.from({ length: 1000 }, (_, i) => `k${i}`);

// It is waited for, as a database that is just starting; the last test sees how that ends.
const unreachable = await RunningServer.launch(t, {
  env: { DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none' },
});

for (const signal of ['SIGTERM', 'SIGINT'] as const)
  t.test(`RUN-4: ${signal} flushes every FAST write, closes connections and exits 0`, async (t) => {
    const server = await RunningServer.start(t);
    const client = await RawClient.connect(server.url);
    await client.operate(...KEYS.map((key) => put('m', key, `"${key}"`)));
    t.match(await server.stop(signal), { code: 0, sentence: '' });
    t.equal((await client.closed).code, 1001);
    await server.restart();
    const reader = await RawClient.connect(server.url);
    t.teardown(() => reader.close());
    const found = await reader.operate(...KEYS.map((key) => get('m', key)));
    t.same(
      found.map(({ value }) => textOf(value)),
      KEYS.map((key) => `"${key}"`),
    );
  });

t.test(
  'RUN-5: with the database away a stop exits 3 and says how many writes are lost',
  async (t) => {
    const server = await RunningServer.start(t);
    const client = await RawClient.connect(server.url);
    await server.destroyDatabase();
    await server.until(({ database }) => database === 'down');
    await client.operate(...KEYS.slice(0, 37).map((key) => put('m', key, '1')));
    t.match(await server.stop(), {
      code: 3,
      sentence: 'tidewire: 37 writes did not reach the database.',
    });
  },
);

t.test('RUN-6: a second signal ends a stop that is under way at once', async (t) => {
  const server = await RunningServer.start(t);
  const client = await RawClient.connect(server.url);
  await server.destroyDatabase();
  await client.operate(put('m', 'k', '1'));
  server.signal('SIGTERM');
  const isReady = async (): Promise<boolean> =>
    fetch(`${server.url.replace('ws', 'http')}/readyz`).then(
      ({ status }) => status === 200,
      () => false, // it listens no more
    );
  while (await isReady()) await delay(POLL_MS);
  t.match(await server.stop('SIGTERM'), { code: 1 });
});

t.test('RUN-7: a port that is taken is one sentence and exit 1', async (t) => {
  const first = await RunningServer.start(t);
  const { port } = new URL(first.url);
  const second = await RunningServer.launch(t, { args: ['--port', port] });
  t.match(await second.end, { code: 1, sentence: /^tidewire: Port \d+ [^\n]+\.$/ });
});

t.test('RUN-9: /healthz and /readyz tell how the server is, to everybody', async (t) => {
  const server = await RunningServer.start(t);
  const http = server.url.replace('ws', 'http');
  const ask = async (path: string): Promise<[number, unknown]> => {
    const response = await fetch(http + path);
    return [response.status, await response.json()];
  };
  t.same(await ask('/healthz'), [200, { status: 'ok' }], 'and nothing that helps an attacker');
  t.match(await ask('/readyz'), [200, { status: 'ready', database: 'up' }]);
  const client = await RawClient.connect(server.url);
  await client.operate(put('m', 'a', '1'), put('m', 'b', '1'), put('m', 'a', '2'));
  await server.until(({ records }) => records === 2);
  for (const path of ['/info', '/maps', '/metrics', '/other'])
    t.match(await ask(path), [404, { error: /healthz/ }], path);
  t.match(client, { epoch: 1n });
  const [read] = await client.operate(get('m', 'a'));
  t.equal(read.outcome, Code.FOUND);
  client.close();
});

t.test('RUN-8: a database that cannot be reached is one sentence and exit 1', async (t) => {
  t.match(await unreachable.end, { code: 1, sentence: /^tidewire: [^\n]+\.$/ });
});
