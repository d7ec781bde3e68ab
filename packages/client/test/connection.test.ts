import { Code, packStamp, unpackStamp } from '@tidewire/core';
import { test } from 'tap';
import { connect } from '#lib/client.js';
import type { ConnectionState } from '#lib/connection.js';
import { connected, reconnect, rejectionOf } from './connected.js';
import { FakeEnvironment, settled } from './fake-environment.js';
import { SALT } from './fake-socket.js';

test('CLIENT-20: Hello names version and node and no clock; Welcome tells the limits', async (t) => {
  const { client, environment } = await connected({}, { token: 'secret' });
  const [hello] = environment.socket.frames;
  t.equal(hello.clock, 0n);
  t.match(hello.body, {
    case: 'hello',
    value: { protocolVersion: 1, node: 0xabcdef, token: 'secret' },
  });
  t.match(client.server, { version: '9.9.9', epoch: 7n, limits: { inFlightMax: 1024 } });
  t.equal(client.node, 0xabcdef);
});

test('CLIENT-21: the first attempt fails at once, with the reason', async (t) => {
  const environment = new FakeEnvironment();
  await t.rejects(connect('http://x', { environment }), { code: Code.INVALID });
  const refused = connect('ws://server:7271', { environment });
  environment.socket.trouble('connect ECONNREFUSED');
  environment.socket.drop();
  await t.rejects(refused, { code: Code.UNAVAILABLE, message: /ws:.*7271: connect ECONNREFUSED/ });
  const silent = connect('ws://server:7271', { environment, connectTimeoutMs: 300 });
  environment.socket.open();
  environment.pass(300);
  await t.rejects(silent, { code: Code.UNAVAILABLE, message: /in time/ });
  const unwelcome = connect('ws://server:7271', { environment });
  environment.socket.open();
  environment.socket.push({ case: 'error', value: { code: Code.UNAUTHENTICATED, detail: 'Who?' } });
  await t.rejects(unwelcome, { code: Code.UNAUTHENTICATED, message: 'Who?' });
  const newer = connect('ws://server:7271', { environment });
  environment.socket.open();
  environment.socket.push({ case: 'welcome', value: { protocolVersion: 2 } });
  await t.rejects(newer, { code: Code.INVALID, message: /protocol 2/ });
  t.equal(environment.timerCount, 0);
});

test('CLIENT-22: a lost connection is replaced, with growing pauses, until one stands', async (t) => {
  const states: [ConnectionState, string | undefined][] = [];
  const { environment } = await connected(
    {},
    { onState: (state, error) => states.push([state, error?.name]) },
  );
  environment.socket.drop(4000 + Code.SLOW_CONSUMER, 'too slow');
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 9; attempt++) {
    const before = environment.nowMs;
    while (environment.sockets.length < attempt + 2) environment.pass(1);
    pauses.push(environment.nowMs - before);
    environment.socket.drop();
  }
  t.same(pauses, [75, 150, 300, 600, 1200, 2250, 2250, 2250, 2250]);
  environment.pass(2250);
  environment.socket.welcome();
  t.same(states, [
    ['connected', undefined],
    ['reconnecting', 'SLOW_CONSUMER'],
    ['connected', undefined],
  ]);
});

test('CLIENT-23: the server’s wish to be left alone for a while is kept', async (t) => {
  const { environment } = await connected();
  const away = { code: Code.UNAVAILABLE, detail: 'Stopping.', retryAfterMs: 3000 };
  environment.socket.push({ case: 'error', value: away });
  environment.pass(2999);
  t.equal(environment.sockets.length, 1);
  environment.pass(1);
  t.equal(environment.sockets.length, 2);
});

test('CLIENT-24: a refused identity ends the client for good', async (t) => {
  const { client, environment } = await connected();
  environment.socket.drop();
  environment.pass(1000);
  const waiting = client.map('m').get('k');
  environment.socket.open();
  environment.socket.drop(4000 + Code.FORBIDDEN, 'no more');
  t.match(await rejectionOf(waiting), { code: Code.UNAVAILABLE });
  t.equal(client.state, 'closed');
  t.equal(environment.timerCount, 0);
});

test('CLIENT-24: who only came too late with his greeting tries again', async (t) => {
  const { client, environment } = await connected();
  const late = { code: Code.UNAUTHENTICATED, retryAfterMs: 50 };
  environment.socket.push({ case: 'error', value: late });
  t.equal(client.state, 'reconnecting');
  environment.pass(1000);
  environment.socket.welcome();
  t.equal(client.state, 'connected');
});

test('CLIENT-30: a clock that the server finds drifted is set by a new greeting', async (t) => {
  const { client, environment } = await connected();
  environment.socket.push({ case: 'error', value: { code: Code.CLOCK_DRIFT } });
  t.equal(client.state, 'reconnecting');
  environment.pass(1000);
  environment.socket.serverMs = 4_000_000;
  environment.socket.welcome();
  t.match(client.nextStamp(), { ms: 4_000_000 });
});

test('CLIENT-31: a server that does not understand a later greeting ends the client', async (t) => {
  const { client, environment } = await connected();
  environment.socket.drop();
  environment.pass(1000);
  environment.socket.open();
  environment.socket.push({ case: 'error', value: { code: Code.INVALID, detail: 'Version.' } });
  t.equal(client.state, 'closed');
});

test('CLIENT-25: a bad frame ends the connection with INVALID and another one is tried', async (t) => {
  const welcomed = { protocolVersion: 1, epoch: 1n };
  const bad: [string, (environment: FakeEnvironment) => void][] = [
    ['text', ({ socket }) => socket.pushRaw('hello')],
    ['no Protobuf', ({ socket }) => socket.pushRaw(Uint8Array.of(255, 255, 255).buffer)],
    ['no body', ({ socket }) => socket.pushRaw(new ArrayBuffer(0))],
    [
      'an impossible clock',
      ({ socket }) => socket.push({ case: 'pong', value: {} }, 2n ** 64n - 1n),
    ],
    ['a second Welcome', ({ socket }) => socket.push({ case: 'welcome', value: welcomed })],
  ];
  for (const [what, push] of bad) {
    const errors: unknown[] = [];
    const { client, environment } = await connected(
      {},
      { onState: (_, error) => error && errors.push(error.code) },
    );
    push(environment);
    t.same([client.state, errors], ['reconnecting', [Code.INVALID]], what);
    t.equal(environment.socket.closedWith, 4000 + Code.INVALID);
    environment.pass(1000);
    environment.socket.welcome();
    t.equal(client.state, 'connected');
  }
});

test('CLIENT-26: a Welcome without limits is refused', async (t) => {
  const environment = new FakeEnvironment();
  const opening = connect('ws://server:7271', { environment });
  environment.socket.open();
  environment.socket.push({
    case: 'welcome',
    value: { protocolVersion: 1, salt: SALT, memory: 1n, limits: {} },
  });
  await t.rejects(opening, { code: Code.INVALID, message: /announces no/ });
});

test('CLIENT-27: a quiet connection is pinged; one without any answer is given up', async (t) => {
  const { client, environment } = await connected();
  environment.pass(14_999);
  t.equal(environment.socket.bodies('ping').length, 0);
  environment.pass(1);
  t.equal(environment.socket.bodies('ping').length, 1);
  environment.socket.push({ case: 'pong', value: {} });
  environment.pass(15_000);
  t.equal(environment.socket.bodies('ping').length, 2);
  environment.pass(24_999);
  t.equal(client.state, 'connected');
  environment.pass(1);
  t.equal(client.state, 'reconnecting');
});

test('CLIENT-28: stamps follow the server’s clock across connections', async (t) => {
  const { client, environment } = await connected();
  t.match(client.nextStamp(), { ms: 5_000_000, counter: 2, node: 0xabcdef });
  environment.pass(100);
  t.match(client.nextStamp(), { ms: 5_000_100, counter: 0 });
  environment.socket.push({ case: 'pong', value: {} }, packStamp(5_000_900, 7));
  t.match(client.nextStamp(), { ms: 5_000_900, counter: 9 });
  environment.socket.drop();
  environment.pass(1000);
  environment.socket.serverMs = 9_000_000;
  environment.socket.welcome();
  t.match(client.nextStamp(), { ms: 9_000_000, counter: 2 });
  client.map('m').put('k', 1);
  await settled();
  const frame = environment.socket.frames[1];
  t.same(unpackStamp(frame.clock), { ms: 9_000_000, counter: 3 });
  environment.socket.drop();
  environment.pass(1000);
  environment.socket.serverMs = 8_000_000;
  environment.socket.welcome();
  t.match(client.nextStamp(), { ms: 8_000_000, counter: 2 }, 'a new server with an older clock');
});

test('CLIENT-29: a throwing state handler is reported and disturbs nothing', async (t) => {
  const trouble = new Error('handler');
  const onState = (): void => {
    throw trouble;
  };
  const { client, environment } = await connected({}, { onState });
  reconnect(environment);
  t.equal(client.state, 'connected');
  t.same(environment.reported, [trouble, trouble, trouble]);
});

test('CLIENT-32: a client that is paused reads nothing, is not silent, and stays paused', async (t) => {
  const { client, environment } = await connected();
  client.pause();
  t.ok(environment.socket.isPaused);
  for (let part = 0; part < 10; part++) environment.pass(10_000);
  t.equal(environment.sockets.length, 1, 'it is not the server that is silent');
  t.ok(environment.socket.bodies('ping').length >= 5, 'the server hears of it');
  reconnect(environment);
  t.ok(environment.socket.isPaused, 'the next connection too');
  client.resume();
  t.notOk(environment.socket.isPaused);
  environment.pass(20_000);
  t.equal(environment.sockets.length, 2);
  environment.pass(20_500);
  t.equal(environment.sockets.length, 3, 'now it is');
});
