import { createHmac, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Code, connect } from '@tidewire/client/node';
import t from 'tap';
import { ran } from './command-line.js';
import { RunningServer } from './running-server.js';

const SECRET = randomBytes(24).toString('base64');
const LIFE_MS = 600_000;

/** A JSON Web Token by HS256, written out by hand. */
function signed(claims: object, secret = SECRET): string {
  const part = (content: object): string =>
    Buffer.from(JSON.stringify(content)).toString('base64url');
  const head = `${part({ alg: 'HS256' })}.${part(claims)}`;
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`;
}

function endIn(ms: number): number {
  return Math.ceil((Date.now() + ms) / 1000);
}

t.test('AUTH-22: whoever shows no valid token stays outside, and no token is told', async (t) => {
  const server = await RunningServer.start(t, {
    args: ['--auth', 'jwt', '--auth-audience', 'board', '--auth-leeway', '0'],
    env: { TIDEWIRE_AUTH_SECRET: SECRET },
  });
  const claims = { sub: 'ann', aud: 'board' };
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

t.test('AUTH-23: a session whose token is refreshed outlives it, another is closed', async (t) => {
  const server = await RunningServer.start(t, {
    args: ['--auth', 'jwt', '--auth-leeway', '0'],
    env: { TIDEWIRE_AUTH_SECRET: SECRET },
  });
  const short = (): string => signed({ sub: 'ann', exp: endIn(2000) });
  let tokens = 0;
  const fresh = (): string => (tokens++ === 0 ? short() : signed({ exp: endIn(LIFE_MS) }));
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

t.test('AUTH-24: a server whose key for tokens is none ends with a sentence', async (t) => {
  const folder = t.testdir();
  await writeFile(join(folder, 'key.pem'), 'not a key');
  const wrong: [string[], Record<string, string>][] = [
    [['--auth-key', join(folder, 'missing.pem')], {}],
    [['--auth-key', join(folder, 'key.pem')], {}],
    [['--auth-jwks', join(folder, 'missing.json')], {}],
    [[], { TIDEWIRE_AUTH_SECRET: 'too short' }],
  ];
  for (const [args, env] of wrong) {
    const server = await RunningServer.launch(t, { args: ['--auth', 'jwt', ...args], env });
    const { code, sentence } = await server.end;
    t.equal(code, 1);
    t.match(sentence, /^tidewire: [^\n]+\.$/);
    t.notMatch(sentence, 'too short');
  }
});
