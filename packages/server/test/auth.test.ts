import { createHmac, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Code, connect } from '@tidewire/client/node';
import t, { type Test } from 'tap';
import { ran } from './command-line.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const SECRET = randomBytes(24).toString('base64');
const LIFE_MS = 600_000;
const ARGS = ['--auth', 'jwt', '--auth-leeway', '0'];
const MEMBER = { sub: 'ann', roles: ['member'] };

/** A JSON Web Token without its signature, written out by hand. */
function headOf(alg: string, claims: object): string {
  const part = (content: object): string =>
    Buffer.from(JSON.stringify(content)).toString('base64url');
  return `${part({ alg })}.${part(claims)}`;
}

/** A token by HS256. */
function signed(claims: object, secret = SECRET): string {
  const head = headOf('HS256', claims);
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`;
}

/** Everybody with a token may do everything, and with secrets only what is of their own. */
const POLICY = {
  grants: [
    { roles: ['member'], maps: ['users', 'm'], rights: ['read', 'write', 'subscribe'] },
    { maps: ['notes'], rights: ['read', 'write', 'subscribe'], where: `owner = '\${sub}'` },
  ],
};

async function policyFile(t: Test, policy: object = POLICY): Promise<string> {
  const file = join(t.testdir(), 'policy.json');
  await writeFile(file, JSON.stringify(policy));
  return file;
}

function endIn(ms: number): number {
  return Math.ceil((Date.now() + ms) / 1000);
}

t.test('AUTH-22: whoever shows no valid token stays outside, and no token is told', async (t) => {
  const server = await RunningServer.start(t, {
    args: [...ARGS, '--auth-audience', 'board', '--policy', await policyFile(t)],
    env: { TIDEWIRE_AUTH_SECRET: SECRET, LOG_LEVEL: 'debug' },
  });
  const claims = { ...MEMBER, aud: 'board' };
  const good = signed({ ...claims, exp: endIn(LIFE_MS) });
  const put = ['put', 'users', 'ann', '{"age":41}', '--url', server.url];
  t.equal((await ran([...put, '--token', good])).exit, 0);
  const found = await ran(['get', 'users', 'ann', '--url', server.url], { TIDEWIRE_TOKEN: good });
  t.match(found, { exit: 0, out: /"age":41/ });
  const bad: Record<string, string> = {
    none: '',
    forged: signed(claims, 'another secret of thirty-two bytes.'),
    expired: signed({ ...claims, exp: endIn(-5000) }),
    'for others': signed({ sub: 'ann', aud: 'shop' }),
    'of no algorithm': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`,
  };
  for (const [name, token] of Object.entries(bad)) {
    const { exit, error } = await ran([...put, '--token', token]);
    t.equal(exit, 1, name);
    t.match(error, /^tidewire: UNAUTHENTICATED: The token|^tidewire: UNAUTHENTICATED: A token/);
    if (token !== '') t.notMatch(error, token.split('.')[1], name);
  }
  const signatures = [good, ...Object.values(bad)].flatMap((token) => token.split('.').slice(1));
  for (const secret of [SECRET, ...signatures])
    if (secret !== '') t.notOk(server.log.includes(secret), 'the log keeps it to itself');
});

t.test('AUTH-27: floods of bad tokens are refused, and an honest session goes on', async (t) => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const file = join(t.testdir(), 'key.pem');
  await writeFile(file, pem);
  const byRsa = (claims: object): string => {
    const head = headOf('RS256', claims);
    return `${head}.${sign('sha256', Buffer.from(head), privateKey).toString('base64url')}`;
  };
  const grants = [{ maps: ['*'], rights: ['read', 'write'] }];
  const claims = { sub: 'ann', 'tidewire.grants': grants };
  const server = await RunningServer.start(t, { args: [...ARGS, '--auth-key', file] });
  const honest = await connect(server.url, { token: byRsa(claims) });
  const good = byRsa(claims);
  const bad = [
    '',
    'x'.repeat(8000),
    `${headOf('none', claims)}.`,
    `${headOf('None', claims)}.${good.split('.')[2]}`,
    signed(claims, pem), // the public key for a secret
    `${headOf('HS256', claims)}.${good.split('.')[2]}`,
    byRsa({ ...claims, exp: endIn(-60_000) }),
    byRsa({ ...claims, nbf: endIn(60_000) }),
    good.slice(0, -8),
    byRsa({ ...claims, 'tidewire.grants': [{ maps: ['*'], rights: ['all'] }] }),
  ];
  const codes = new Set<number>();
  const tries = Array.from({ length: 200 }, async (_, i) => {
    const client = await RawClient.open(server.url);
    const token = bad[i % bad.length];
    client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, token } });
    codes.add((await client.closed).code);
    t.notOk(client.has('welcome'));
  });
  for (let i = 0; i < 100; i++) await honest.map('m').put('k', i);
  await Promise.all(tries);
  t.equal((await honest.map('m').get('k'))?.value, 99);
  const allowed = [Code.UNAUTHENTICATED, Code.OVERLOADED].map((code) => 4000 + code);
  t.same(
    [...codes].filter((code) => !allowed.includes(code)),
    [],
  );
  t.ok(codes.has(4000 + Code.UNAUTHENTICATED));
  honest.close();
});

t.test('AUTH-23: a session whose token is refreshed outlives it, another is closed', async (t) => {
  const server = await RunningServer.start(t, {
    args: [...ARGS, '--policy', await policyFile(t)],
    env: { TIDEWIRE_AUTH_SECRET: SECRET, LOG_LEVEL: 'debug' },
  });
  const short = (): string => signed({ ...MEMBER, exp: endIn(2000) });
  let tokens = 0;
  const fresh = (): string =>
    tokens++ === 0 ? short() : signed({ ...MEMBER, exp: endIn(LIFE_MS) });
  const states: string[] = [];
  const lasting = await connect(server.url, {
    token: fresh,
    onState: (state) => states.push(state),
  });
  const ended = new Promise<Error | undefined>((resolve, reject) => {
    const onState = (state: string, error: Error | undefined): void => {
      if (state === 'closed') resolve(error);
    };
    connect(server.url, { token: short(), onState }).catch(reject);
  });
  t.match(await ended, { code: Code.UNAUTHENTICATED, message: 'The token has expired.' });
  await lasting.map('m').put('k', 1);
  t.same([states, tokens], [['connected'], 2]);
  lasting.close();
});

t.test('AUTH-24: a server whose key or policy is none ends with a sentence', async (t) => {
  const folder = t.testdir();
  await writeFile(join(folder, 'key.pem'), 'not a key');
  await writeFile(join(folder, 'bad.json'), '{"grants":[{}]}');
  const wrong: [string[], Record<string, string>][] = [
    [['--auth-key', join(folder, 'missing.pem')], {}],
    [['--auth-key', join(folder, 'key.pem')], {}],
    [['--auth-jwks', join(folder, 'missing.json')], {}],
    [[], { TIDEWIRE_AUTH_SECRET: 'too short' }],
    [['--policy', join(folder, 'key.pem')], { TIDEWIRE_AUTH_SECRET: SECRET }],
    [['--policy', join(folder, 'bad.json')], { TIDEWIRE_AUTH_SECRET: SECRET }],
  ];
  for (const [args, env] of wrong) {
    const server = await RunningServer.launch(t, { args: ['--auth', 'jwt', ...args], env });
    const { code, sentence } = await server.end;
    t.equal(code, 1);
    t.match(sentence, /^tidewire: [^\n]+\.$/);
    t.notMatch(sentence, 'too short');
  }
});

t.test('AUTH-51: a secret that is not asked for is told, and so are refused tokens', async (t) => {
  const env = { TIDEWIRE_AUTH_SECRET: SECRET, LOG_LEVEL: 'warn' };
  const open = await RunningServer.start(t, { env });
  await open.logs(/TIDEWIRE_AUTH_SECRET is ignored/);
  const guarded = await RunningServer.start(t, { args: ARGS, env });
  for (let i = 0; i < 3; i++) {
    const client = await RawClient.open(guarded.url);
    client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, token: 'forged' } });
    t.equal((await client.closed).code, 4000 + Code.UNAUTHENTICATED);
  }
  await guarded.logs(/"count":[123],"msg":"connections showed no valid token in time"/);
  t.notMatch(guarded.log, /is ignored/);
});

t.test(
  'ACCESS-20: the client library and the command line keep to what is permitted',
  async (t) => {
    const server = await RunningServer.start(t, {
      args: [...ARGS, '--policy', await policyFile(t)],
      env: { TIDEWIRE_AUTH_SECRET: SECRET, LOG_LEVEL: 'debug' },
    });
    const [ann, bob] = await Promise.all(
      ['ann', 'bob'].map((sub) => connect(server.url, { token: signed({ sub }) })),
    );
    const heard: string[] = [];
    const view = ann.map<{ owner: string }>('notes');
    await view.subscribe((event) => heard.push(`${event.kind} ${event.key}`), { from: 'snapshot' });
    await bob.map('notes').put('of bob', { owner: 'bob' });
    await view.put('of ann', { owner: 'ann' });
    await t.rejects(view.put('of bob', { owner: 'ann' }), { code: Code.FORBIDDEN });
    await t.rejects(view.put('for bob', { owner: 'bob' }), { code: Code.FORBIDDEN });
    await t.rejects(ann.map('users').get('ann'), { code: Code.FORBIDDEN });
    t.equal(await view.get('of bob'), undefined);
    t.equal(await view.count({}), 1);
    await view.remove('of ann');
    await view.put('last', { owner: 'ann' });
    await view.get('last'); // its events have come before
    t.same(heard, ['put of ann', 'remove of ann', 'put last']);
    const listed = await ran([
      'list',
      'notes',
      '--url',
      server.url,
      '--token',
      signed({ sub: 'bob' }),
    ]);
    t.match(listed, { exit: 0, out: /of bob/ });
    t.notMatch(listed.out, /of ann|last/);
    const denied = await ran([
      'list',
      'users',
      '--url',
      server.url,
      '--token',
      signed({ sub: 'bob' }),
    ]);
    t.match(denied, { exit: 1, error: /FORBIDDEN/ });
    await server.logs(/"map":"users","right":"read".*not permitted/);
    t.notMatch(server.log, /of bob/);
    ann.close();
    bob.close();
  },
);
