import { readFileSync } from 'node:fs';
import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { uwsMissing } from '@tidewire/gateway';
import { Code } from '@tidewire/schemas';
import t from 'tap';
import { readConfig } from '#lib/config.js';
import { get, put } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const WITHOUT_UWS = new URL('./without-uws.js', import.meta.url).href;
const THIEF = new URL('./port-thief.js', import.meta.url).href;
const NO_BINARY = {
  NODE_OPTIONS: `--import ${WITHOUT_UWS}`,
  LOG_LEVEL: 'warn',
  TIDEWIRE_TRANSPORT: '', // whoever runs the tests may have named one
};
const FALLBACK = /"level":40.*the transport is ws/;
const missing = await uwsMissing();

for (const name of ['uws', 'ws'])
  t.test(
    `TRANS-21: a server on ${name} takes and tells writes${name === 'uws' ? ifMissing() : ''}`,
    { skip: name === 'uws' && missing !== undefined },
    async (t) => {
      const server = await RunningServer.start(t, {
        args: ['--transport', name],
        env: { LOG_LEVEL: 'warn' },
      });
      const client = await RawClient.connect(server.url);
      await client.subscribe('m');
      const [written, found] = await client.operate(put('m', 'k', '1'), get('m', 'k'));
      t.match([written.outcome, found.outcome], [Code.APPLIED, Code.FOUND]);
      await client.until(() => client.events.length === 1);
      t.equal(server.log, '');
      t.equal((await server.stop()).code, 0);
      t.equal((await client.closed).code, 1001);
    },
  );

t.test('TRANS-21: without a binary of uWebSockets ws is taken, with one warning', async (t) => {
  const server = await RunningServer.start(t, { env: NO_BINARY });
  const client = await RawClient.connect(server.url);
  t.teardown(() => client.close());
  t.match(await client.operate(get('m', 'k')), [{ outcome: Code.ABSENT }]);
  t.equal(server.log.trim().split('\n').length, 1);
  t.match(server.log, FALLBACK);
});

t.test('TRANS-21: uws asked for by name is refused where it has no binary', async (t) => {
  const server = await RunningServer.launch(t, { args: ['--transport', 'uws'], env: NO_BINARY });
  t.match(await server.end, { code: 1, sentence: /^tidewire: uWebSockets.js has no binary/ });
});

t.test(
  'TRANS-22: with TLS the server is ready at wss, and SIGHUP changes the certificate',
  async (t) => {
    const folder = t.testdir();
    const files = { key: join(folder, 'key.pem'), certificate: join(folder, 'cert.pem') };
    const change = async (key: string, certificate: string): Promise<void> => {
      await copyFile(fixture(`${key}.key`), files.key);
      await copyFile(fixture(`${certificate}.crt`), files.certificate);
    };
    await change('one', 'one');
    const server = await RunningServer.start(t, {
      args: ['--tls-key', files.key, '--tls-cert', files.certificate],
      env: { LOG_LEVEL: 'info' },
    });
    const clientOf = (name: string): Promise<RawClient> =>
      RawClient.connect(server.url, 7, { ca: readFileSync(fixture(`${name}.crt`)) });
    t.match(server.url, /^wss:/);
    const standing = await clientOf('one');
    await t.rejects(clientOf('two'), /self-signed/);
    await change('two', 'two');
    server.signal('SIGHUP');
    await server.logs(/have been read again/);
    const newcomer = await clientOf('two');
    await change('one', 'two');
    server.signal('SIGHUP');
    await server.logs(/"level":50.*no key and certificate.*the old certificate stays/);
    for (const client of [standing, newcomer, await clientOf('two')]) {
      t.match(await client.operate(get('m', 'k')), [{ outcome: Code.ABSENT }]);
      client.close();
    }
  },
);

t.test(
  `TRANS-35: a port that is lost while the certificate changes ends the server${ifMissing()}`,
  { skip: missing !== undefined },
  async (t) => {
    const args = ['--tls-key', fixture('one.key'), '--tls-cert', fixture('one.crt')];
    const env = { NODE_OPTIONS: `--import ${THIEF}`, LOG_LEVEL: 'info' };
    const server = await RunningServer.start(t, { args: [...args, '--transport', 'uws'], env });
    server.signal('SIGHUP');
    t.match(await server.end, { code: 1, sentence: /^tidewire: Port \d+ on 127.0.0.1 was lost/ });
    t.notMatch(server.log, /have been read again|stays in use/);
  },
);

t.test('RUN-37: SIGHUP without TLS changes nothing, and the log says so', async (t) => {
  const server = await RunningServer.start(t, { env: { LOG_LEVEL: 'info' } });
  const client = await RawClient.connect(server.url);
  t.match(await client.operate(put('m', 'k', '1')), [{ outcome: Code.APPLIED }]);
  server.signal('SIGHUP');
  await server.logs(/without TLS SIGHUP changes nothing/);
  t.match(await client.operate(get('m', 'k')), [{ outcome: Code.FOUND }]);
  t.equal((await server.stop()).code, 0);
});

t.test('TRANS-23: wrong settings of transport, TLS and origins are refused', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['--transport', 'http3'], /--transport/],
    [['--tls-key', 'k'], /--tls-key and --tls-cert go together/],
    [['--tls-cert', 'c'], /--tls-key and --tls-cert go together/],
    [['--allow-origin', 'example.org'], /--allow-origin/],
    [['--allow-origin', 'https://a.example, https://b.example/path'], /--allow-origin/],
  ];
  for (const [args, sentence] of wrong) t.throws(() => readConfig(args, {}), sentence);
  t.match(readConfig([], {}), { transport: undefined, tls: undefined, allowOrigin: undefined });
  const environment = { TIDEWIRE_TLS_KEY: '/k', TIDEWIRE_TLS_CERT: '/c', TIDEWIRE_TRANSPORT: 'ws' };
  t.match(readConfig(['--allow-origin', 'https://a.example, null'], environment), {
    transport: 'ws',
    tls: { key: '/k', certificate: '/c' },
    allowOrigin: ['https://a.example', 'null'],
  });
  const args = ['--tls-key', '/no/such.key', '--tls-cert', '/no/such.crt'];
  const server = await RunningServer.launch(t, { args });
  t.match(await server.end, { code: 1, sentence: /no\/such.key cannot be read: ENOENT/ });
});

function fixture(name: string): string {
  return fileURLToPath(new URL(`../../gateway/test/tls/${name}`, import.meta.url));
}

function ifMissing(): string {
  return missing === undefined ? '' : ` (skipped: ${missing})`;
}
