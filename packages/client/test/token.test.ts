import { Code } from '@tidewire/core';
import { test } from 'tap';
import { connect } from '#lib/client.js';
import { refreshWaitMs } from '#lib/token-source.js';
import { connected } from './connected.js';
import { FakeEnvironment, settled } from './fake-environment.js';

/** So that nothing but the token's end matters. */
const PATIENT = { heartbeatIntervalMs: 1e9, heartbeatTimeoutMs: 2e9 };

/** Tokens that the callback is asked for, one after the other. */
function numberedTokens(): () => Promise<string> {
  let count = 0;
  return async () => `token ${++count}`;
}

async function welcomed(token: () => string | Promise<string>, leftMs: number) {
  const environment = new FakeEnvironment();
  const opening = connect('ws://server:7271', { environment, token });
  await settled();
  const validUntilMs = BigInt(environment.socket.serverMs + leftMs);
  environment.socket.welcome(PATIENT, { validUntilMs });
  return { client: await opening, environment };
}

test('AUTH-30: each connection shows a token that was got for it', async (t) => {
  const { environment } = await welcomed(numberedTokens(), 3_600_000);
  t.match(environment.socket.bodies('hello'), [{ value: { token: 'token 1' } }]);
  environment.socket.drop();
  environment.pass(10_000);
  await settled();
  environment.socket.open();
  t.match(environment.socket.bodies('hello'), [{ value: { token: 'token 2' } }]);
});

test('AUTH-31: a token is refreshed before it ends, again and again', async (t) => {
  const { environment } = await welcomed(numberedTokens(), 600_000);
  const { socket } = environment;
  environment.pass(539_999);
  await settled();
  t.same(socket.bodies('refresh'), []);
  environment.pass(1);
  await settled();
  t.match(socket.bodies('refresh'), [{ value: { token: 'token 2' } }]);
  socket.push({ case: 'refreshed', value: { validUntilMs: BigInt(socket.serverMs + 600_000) } });
  environment.pass(540_000);
  await settled();
  t.match(socket.bodies('refresh').at(-1), { value: { token: 'token 3' } });
  t.equal(environment.sockets.length, 1);
});

test('AUTH-32: a callback that fails fails the first attempt, later it is tried again', async (t) => {
  const environment = new FakeEnvironment();
  const failing = async (): Promise<string> => {
    throw new Error('the login service is away');
  };
  await t.rejects(connect('ws://server:7271', { environment, token: failing }), {
    code: Code.UNAVAILABLE,
    message: /login service is away/,
  });
  const silent = connect('ws://server:7271', {
    environment,
    token: () => new Promise(() => {}),
    connectTimeoutMs: 300,
  });
  environment.pass(300);
  await t.rejects(silent, { code: Code.UNAVAILABLE, message: /in time/ });
  t.equal(environment.timerCount, 0);

  const outcomes = ['first', undefined, 'second'];
  const flaky = async (): Promise<string> => {
    const token = outcomes.shift();
    if (token === undefined) throw new Error('away');
    return token;
  };
  const { environment: later } = await welcomed(flaky, 40_000);
  later.pass(20_000);
  await settled();
  t.same(later.socket.bodies('refresh'), []);
  later.pass(10_000);
  await settled();
  t.match(later.socket.bodies('refresh'), [{ value: { token: 'second' } }]);
});

test('AUTH-33: a session that ended with its token is replaced only where a new one can be got', async (t) => {
  const expired = { code: Code.UNAUTHENTICATED, detail: 'The token has expired.' };
  const { client, environment } = await welcomed(numberedTokens(), 600_000);
  environment.socket.push({ case: 'error', value: expired });
  t.equal(client.state, 'reconnecting');
  environment.pass(10_000);
  await settled();
  environment.socket.open();
  environment.socket.push({ case: 'error', value: expired });
  t.equal(client.state, 'closed', 'even the new one was refused');
  const fixed = await connected({}, { token: 'fixed' });
  fixed.environment.socket.push({ case: 'error', value: expired });
  t.equal(fixed.client.state, 'closed');
});

test('AUTH-34: after the end of a connection no token is got for it', async (t) => {
  let calls = 0;
  const { client, environment } = await welcomed(() => `token ${++calls}`, 600_000);
  client.close();
  t.equal(environment.timerCount, 0);
  environment.pass(600_000);
  await settled();
  t.equal(calls, 1);
});

test('AUTH-35: the wait before a refresh leaves a margin, a second at least, a day at most', (t) => {
  t.same(
    [3_630_000, 40_000, 1500, -5, 1e12].map(refreshWaitMs),
    [3_570_000, 20_000, 1000, 1000, 86_400_000],
  );
  t.end();
});
