import { writeFile } from 'node:fs/promises';
import { totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { type Config, helpText, readConfig } from '#lib/config.js';
import { ConfigError } from '#lib/config-error.js';
import { RunningServer } from './running-server.js';

const NONE = {};

t.test('CONF-1: every setting has a default', async (t) => {
  const config = readConfig([], NONE) as Config;
  t.match(config, {
    port: 7271,
    host: '127.0.0.1',
    databaseUrl: undefined,
    logLevel: 'info',
    takeOver: false,
    dataDir: resolve('.tidewire'),
  });
  t.ok(config.workers >= 1);
  t.ok(config.arenaBytes <= totalmem() / 4 / config.workers);
});

t.test('CONF-2: a flag goes before the environment, that before the file', async (t) => {
  const file = join(t.testdir(), 'config.json');
  await writeFile(file, JSON.stringify({ port: 1, workers: 1, host: '127.0.0.2', memory: '64M' }));
  const environment = { TIDEWIRE_CONFIG: file, TIDEWIRE_PORT: '2', TIDEWIRE_HOST: '127.0.0.3' };
  t.match(readConfig(['--port', '3'], environment), { port: 3, host: '127.0.0.3', workers: 1 });
  t.match(readConfig([], environment), { port: 2, arenaBytes: 64 * 1024 * 1024 });
  t.match(readConfig(['--config', file], NONE), { port: 1, host: '127.0.0.2' });
});

t.test(
  'CONF-3: every flag has a name in the environment; DATABASE_URL names the database',
  async (t) => {
    const environment = {
      TIDEWIRE_DATA_DIR: '/tmp/x',
      TIDEWIRE_TAKE_OVER: 'true',
      TIDEWIRE_MEMORY: '1G',
      TIDEWIRE_WORKERS: '2',
      LOG_LEVEL: 'warn',
      DATABASE_URL: 'postgres://a@b/c',
    };
    t.match(readConfig([], environment), {
      dataDir: '/tmp/x',
      takeOver: true,
      arenaBytes: 512 * 1024 * 1024,
      workers: 2,
      logLevel: 'warn',
      databaseUrl: 'postgres://a@b/c',
    });
  },
);

t.test('CONF-4: memory is a number of bytes with K, M or G, shared by the workers', async (t) => {
  const sizes = { '33554432': 32, '65536K': 64, '64M': 64, '64MiB': 64, '64mb': 64, '1G': 1024 };
  for (const [text, megabytes] of Object.entries(sizes)) {
    const config = readConfig(['--memory', text, '--workers', '1'], NONE);
    t.equal(config?.arenaBytes, megabytes * 1024 * 1024, text);
  }
});

t.test('CONF-5: a wrong setting is refused with one sentence that names it', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['--port', 'x'], /--port/],
    [['--port', '65536'], /--port/],
    [['--port', '-1'], /--port/],
    [['--workers', '0'], /--workers/],
    [['--workers', '17'], /--workers/],
    [['--workers', '1.5'], /--workers/],
    [['--memory', 'lots'], /--memory/],
    [['--memory', '1M'], /--memory/],
    [['--memory', '64M', '--workers', '16'], /--memory/],
    [['--database-url', 'mysql://x'], /--database-url/],
    [['--log-level', 'loud'], /--log-level/],
    [['--colour', 'red'], /--colour/],
    [['--port'], /--port/],
    [['--port', '--host', 'x'], /--port/],
    [['start'], /start/],
    [['--config', '/no/such/file'], /\/no\/such\/file/],
  ];
  for (const [args, name] of wrong) {
    const error = thrownBy(() => readConfig(args, NONE));
    t.ok(error instanceof ConfigError, args.join(' '));
    t.match((error as Error).message, name);
    t.match((error as Error).message, /^[^\n]+\.$/);
    t.notMatch(
      (error as Error).message,
      /Invalid input|Too (small|big)/,
      'no wording of a library',
    );
  }
});

t.test(
  'CONF-6: a file with an unknown setting, or that is no object of settings, is refused',
  async (t) => {
    const dir = t.testdir({ 'a.json': '{"prot":1}', 'b.json': '[]', 'c.json': '{' });
    for (const name of ['a.json', 'b.json', 'c.json'])
      t.throws(() => readConfig(['--config', join(dir, name)], NONE), ConfigError, name);
  },
);

t.test('CONF-7: help lists every flag', async (t) => {
  t.equal(readConfig(['--help', '--port', 'x'], NONE), undefined);
  for (const flag of ['port', 'host', 'workers', 'memory', 'data-dir', 'database-url', 'take-over'])
    t.match(helpText(), `--${flag}`);
});

t.test('CONF-8: the server ends with 2 and one sentence for a wrong setting', async (t) => {
  for (const args of [
    ['--colour', 'red'],
    ['--workers', 'many'],
    ['--memory', '1K'],
  ]) {
    const server = await RunningServer.launch(t, { args });
    t.match(await server.end, { code: 2, sentence: /^tidewire: [^\n]+\.$/ }, args.join(' '));
  }
});

t.test(
  'AUTH-20: without tokens the server listens on this machine alone, unless told to',
  async (t) => {
    for (const host of ['127.0.0.1', '127.8.0.1', 'localhost', '::1'])
      t.equal(readConfig(['--host', host], NONE)?.auth, undefined, host);
    for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.example.org', 'example.org'])
      t.throws(() => readConfig(['--host', host], NONE), ConfigError, host);
    t.equal(readConfig(['--host', '0.0.0.0', '--allow-no-auth'], NONE)?.host, '0.0.0.0');
    t.equal(readConfig([], { TIDEWIRE_HOST: '::', TIDEWIRE_ALLOW_NO_AUTH: 'true' })?.host, '::');
    const guarded = readConfig(['--host', '::', '--auth', 'jwt', '--auth-key', 'k.pem'], NONE);
    t.same(guarded?.auth?.keys, { kind: 'pem-file', path: resolve('k.pem') });
  },
);

t.test(
  'AUTH-21: tokens need exactly one key; a secret comes from the environment alone',
  async (t) => {
    const secret = { TIDEWIRE_AUTH: 'jwt', TIDEWIRE_AUTH_SECRET: 'x'.repeat(32) };
    t.equal(readConfig([], secret)?.auth?.keys.kind, 'secret');
    t.match(
      readConfig(
        ['--auth', 'jwt', '--auth-jwks', 'https://a.org/keys', '--auth-leeway', '5'],
        NONE,
      ),
      {
        auth: { keys: { kind: 'jwks-url', url: new URL('https://a.org/keys') }, leewayMs: 5000 },
      },
    );
    t.match(readConfig(['--auth', 'jwt', '--auth-jwks', 'keys.json', '--auth-issuer', 'i'], NONE), {
      auth: { keys: { kind: 'jwks-file' }, issuer: 'i', audience: undefined, leewayMs: 30_000 },
    });
    const wrong: string[][] = [
      ['--auth', 'jwt'],
      ['--auth', 'basic'],
      ['--auth', 'jwt', '--auth-key', 'a', '--auth-jwks', 'b'],
      ['--auth', 'jwt', '--auth-jwks', 'http://a.org/keys'],
      ['--auth', 'jwt', '--auth-jwks', 'https://'],
      ['--auth-key', 'a'],
      ['--auth-secret', 'x'.repeat(32)],
      ['--auth', 'jwt', '--auth-key', 'a', '--auth-leeway', '-1'],
    ];
    for (const args of wrong) {
      const error = thrownBy(() => readConfig(args, NONE));
      t.ok(error instanceof ConfigError, args.join(' '));
      t.match((error as Error).message, /^[^\n]+\.$/);
    }
    const both = thrownBy(() => readConfig(['--auth-key', 'a'], secret));
    t.ok(both instanceof ConfigError);
    t.notMatch((both as Error).message, 'xxxx', 'the secret is not repeated');
  },
);

function thrownBy(action: () => void): unknown {
  try {
    action();
  } catch (error) {
    return error;
  }
  return undefined;
}

t.test('LIFE-41: default lifetimes of maps come by flags, environment and file', async (t) => {
  const file = join(t.testdir(), 'config.json');
  const maps = { sessions: { ttl: '1h' }, 'a=b,c': { ttl: '500ms' } };
  await writeFile(file, JSON.stringify({ maps }));
  const args = ['--config', file, '--map-ttl', 'sessions=30m', '--map-ttl', 'carts=7d'];
  t.same([...(readConfig(args, NONE) as Config).mapTtls].sort(), [
    ['a=b,c', 500],
    ['carts', 7 * 86_400_000],
    ['sessions', 30 * 60_000],
  ]);
  const environment = { TIDEWIRE_MAP_TTL: 'a=45s, b=12h' };
  t.same(
    [...(readConfig([], environment) as Config).mapTtls],
    [
      ['a', 45_000],
      ['b', 12 * 3_600_000],
    ],
  );
  t.same([...(readConfig([], NONE) as Config).mapTtls], []);
  t.match(helpText(), '--map-ttl MAP=TIME');
});

t.test('LIFE-41: a wrong lifetime of a map is refused with one sentence', async (t) => {
  for (const text of ['sessions', '=30m', 'a=30', 'a=0s', 'a=-1s', 'a=1y', 'a=9999999999999d'])
    t.throws(() => readConfig(['--map-ttl', text], NONE), {
      name: 'ConfigError',
      message: '--map-ttl is a map and a time, as sessions=30m.',
    });
  const file = join(t.testdir(), 'config.json');
  for (const maps of [
    { a: { ttl: '30' } },
    { a: { ttl: 30 } },
    { a: { tll: '30m' } },
    { '': {} },
  ]) {
    await writeFile(file, JSON.stringify({ maps }));
    t.throws(() => readConfig(['--config', file], NONE), { name: 'ConfigError' });
  }
});

t.test('LIMIT-23: limits come by flag, environment and file, limit by limit', async (t) => {
  const file = join(t.testdir(), 'config.json');
  await writeFile(file, JSON.stringify({ limits: { 'in-flight': 5, subscriptions: 6 } }));
  const flags = ['--config', file, '--limit', 'in-flight=7', '--limit', 'bytes-per-second=8'];
  t.match(readConfig(flags, NONE)?.limits, {
    inFlight: 7,
    subscriptions: 6,
    bytesPerSecond: 8,
    operationsPerSecond: 0,
    connections: 65_536,
  });
  const environment = { TIDEWIRE_LIMIT: 'connections=9,strangers=10' };
  t.match(readConfig([], environment)?.limits, { connections: 9, strangers: 10 });
  for (const text of ['inflight=1', 'in-flight', 'in-flight=', 'in-flight=0', 'in-flight=1025'])
    t.throws(() => readConfig(['--limit', text], NONE), ConfigError, text);
  t.match(helpText(), /connections-per-address +connections of one address \(default 65536\)/);
});

t.test('ADMIN-12: a setting of another kind in the file is refused in our words', async (t) => {
  const file = join(t.testdir(), 'config.json');
  const wrong: [Record<string, unknown>, RegExp][] = [
    [{ limits: 3 }, /^--limits are numbers by name\.$/],
    [{ maps: 3 }, /^--maps are lifetimes by map\.$/],
    [{ maps: { a: 3 } }, /^maps\.a is as/],
    [{ 'allow-origin': 3 }, /^--allow-origin is a list of origins/],
    [{ 'map-ttl': 3 }, /^--map-ttl is a text or a list of texts\.$/],
    [{ memory: {} }, /^--memory is a number of bytes/],
    [{ port: {} }, /^--port is a whole number/],
    [{ host: 3 }, /^--host is a text\.$/],
    [{ safe: 3 }, /no setting "safe"/],
  ];
  for (const [settings, message] of wrong) {
    await writeFile(file, JSON.stringify(settings));
    t.throws(() => readConfig(['--config', file], NONE), { name: 'ConfigError', message });
  }
});
