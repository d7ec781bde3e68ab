import { HANDSHAKE_MS_MAX } from '@tidewire/core';
import t from 'tap';
import { NO_BOUND } from '#lib/gateway-limits.js';
import { ConnectionLimits } from '#lib/session/connection-limits.js';
import { clientOf } from '#lib/transport/client-address.js';

const LIMITS = {
  connections: 10,
  connectionsPerAddress: 4,
  strangers: 5,
  strangersPerAddress: 3,
  offencesPerAddress: 2,
};
const A = '192.0.2.1';
const B = '192.0.2.2';

function come(limits: ConnectionLimits, address: string) {
  if (!limits.accept(address) || limits.refusal(address) !== undefined) return undefined;
  return limits.open(address);
}

/** Comes in and says Hello. */
function settle(limits: ConnectionLimits, address: string) {
  const count = come(limits, address);
  if (count !== undefined) limits.greet(count);
  return count;
}

t.test('LIMIT-12: an address is counted in whatever form it is spelled', async (t) => {
  const zeros = '0000:0000:0000:0000:0000';
  t.equal(clientOf('192.0.2.1'), '192.0.2.1');
  t.equal(clientOf('::ffff:192.0.2.1'), '192.0.2.1');
  t.equal(clientOf(`${zeros}:ffff:c000:0201`), '192.0.2.1');
  t.equal(clientOf('2001:db8::1'), '2001:db8:0:0::/64');
  t.equal(clientOf('2001:0db8:0000:0000:abcd:0000:0000:0001'), '2001:db8:0:0::/64');
  t.equal(clientOf('2001:db8:0:1::1'), '2001:db8:0:1::/64');
  t.equal(clientOf('::1'), clientOf(`${zeros}:0000:0000:0001`));
});

t.test('LIMIT-13: no more connections than may be, in total and of one address', async (t) => {
  const limits = new ConnectionLimits(LIMITS);
  const first = settle(limits, A);
  for (let i = 1; i < 4; i++) t.ok(settle(limits, A));
  t.match(limits.refusal(A), { sentence: /address may have 4/, retryAfterMs: 1000 });
  t.equal(limits.refusal(B), undefined, 'others may');
  for (let i = 0; i < 6; i++) t.ok(settle(limits, `192.0.2.${10 + i}`));
  t.match(limits.refusal(B), { sentence: /has 10 connections/ });
  if (first !== undefined) limits.close(first, false);
  t.ok(settle(limits, A), 'a place is free again');
  t.equal(limits.connections, 10);
});

t.test('LIMIT-14: no more strangers than may be, in total and of one address', async (t) => {
  const limits = new ConnectionLimits(LIMITS);
  const strangers = [come(limits, A), come(limits, A), come(limits, A)];
  t.notOk(limits.accept(A), 'closed without a word');
  t.equal(limits.turnedAway, 1);
  t.ok(come(limits, B));
  t.ok(come(limits, B));
  t.match(limits.refusal('192.0.2.3'), { sentence: /5 connections have not said Hello/ });
  const [one, two] = strangers;
  if (one !== undefined) limits.greet(one);
  t.ok(limits.accept(A), 'who has said Hello is no stranger');
  if (two !== undefined) limits.close(two, true);
  t.equal(limits.strangers, 3);
  t.equal(limits.refusal('192.0.2.3'), undefined);
});

t.test('LIMIT-15: sockets without a handshake count, and not for ever', async (t) => {
  const limits = new ConnectionLimits(LIMITS);
  limits.sweep(0);
  for (let i = 0; i < 3; i++) t.ok(limits.accept(A));
  t.notOk(limits.accept(A), 'slow-loris');
  t.ok(limits.accept(B), 'others come in');
  limits.sweep(2.5 * HANDSHAKE_MS_MAX);
  t.notOk(limits.accept(A), 'they may still be there');
  limits.sweep(5 * HANDSHAKE_MS_MAX);
  t.ok(limits.accept(A), 'no handshake takes so long');
  t.equal(limits.addresses, 1);
  limits.sweep(7.5 * HANDSHAKE_MS_MAX);
  limits.sweep(10 * HANDSHAKE_MS_MAX);
  t.equal(limits.addresses, 0, 'nobody is remembered');
});

t.test(
  'LIMIT-45: a socket counts until it ends, and in total no more than strangers may',
  async (t) => {
    const limits = new ConnectionLimits(LIMITS);
    for (let i = 0; i < 100; i++) {
      t.ok(limits.accept(A));
      limits.end(A);
    }
    const addresses = Array.from({ length: 5 }, (_, i) => `192.0.2.${10 + i}`);
    for (const address of addresses) t.ok(limits.accept(address));
    t.notOk(limits.accept(A), 'as many sockets as there may be strangers');
    limits.end(undefined);
    t.ok(limits.accept(A), 'one has ended, whosever it was');
    limits.end(A);
    t.equal(limits.refusal(addresses[0]), undefined);
    limits.open(addresses[0]);
    t.ok(limits.accept(A), 'who is upgraded is no socket any more');
    t.notOk(limits.accept(B), 'but a stranger still');
  },
);

t.test('LIMIT-15: who is upgraded is counted once', async (t) => {
  const limits = new ConnectionLimits({ ...LIMITS, connectionsPerAddress: 10, strangers: 10 });
  for (let i = 0; i < 10; i++) t.ok(settle(limits, A));
});

t.test('LIMIT-28: no more strangers and sockets without a handshake than may be', async (t) => {
  const limits = new ConnectionLimits(LIMITS);
  for (let i = 1; i <= 5; i++) t.ok(limits.accept(`192.0.2.${i}`));
  t.notOk(limits.accept('192.0.2.6'), 'each of an address of its own');
  t.equal(limits.turnedAway, 1);
  const one = limits.open('192.0.2.1');
  limits.end('192.0.2.2');
  t.ok(limits.accept('192.0.2.6'), 'one has been cut off');
  t.notOk(limits.accept('192.0.2.7'), 'who is upgraded is a stranger still');
  limits.greet(one);
  t.ok(limits.accept('192.0.2.7'), 'until it has said Hello');
});

t.test('LIMIT-26: an address with many offences is turned away, and not for ever', async (t) => {
  const limits = new ConnectionLimits(LIMITS);
  limits.sweep(0);
  const offend = (): void => {
    const count = settle(limits, A);
    if (count === undefined) return void t.fail('it is let in');
    limits.blame(count);
    limits.close(count, false);
  };
  offend();
  const standing = settle(limits, A);
  t.ok(standing, 'one is not many');
  t.ok(limits.accept(A));
  offend();
  t.match(limits.refusal(A), { sentence: /closed for their own fault/ }, 'who was accepted before');
  t.notOk(limits.accept(A), 'closed without a word');
  t.ok(settle(limits, B), 'others come in');
  limits.sweep(2.5 * HANDSHAKE_MS_MAX);
  t.notOk(limits.accept(A), 'they are not forgotten at once');
  limits.sweep(5 * HANDSHAKE_MS_MAX);
  t.ok(settle(limits, A));
});

t.test('LIMIT-26: unless the operator says how many offences are too many, none are', async (t) => {
  const limits = new ConnectionLimits({ ...LIMITS, offencesPerAddress: NO_BOUND });
  for (let i = 0; i < 100; i++) {
    const count = settle(limits, A);
    if (count === undefined) return void t.fail('it is let in');
    limits.blame(count);
    limits.close(count, false);
  }
});
