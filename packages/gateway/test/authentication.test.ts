import { Code, HELLO_DEADLINE_MS, VERIFICATIONS_MAX } from '@tidewire/core';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { EMPTY_POLICY } from '#lib/access/policy.js';
import { type Claims, TokenError } from '#lib/access/token-verifier.js';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';

const UNAUTHENTICATED = 4000 + Code.UNAUTHENTICATED;

/** A gateway whose tokens are verified when the test says so. */
class GuardedBench extends TestBench {
  readonly asked: { token: string; say: (verdict: Claims | Error) => void }[] = [];

  constructor() {
    super({
      access: {
        policy: EMPTY_POLICY,
        verify: (token) =>
          new Promise((resolve, reject) => {
            const say = (verdict: Claims | Error): void =>
              verdict instanceof Error ? reject(verdict) : resolve(verdict);
            this.asked.push({ token, say });
          }),
      },
    });
  }

  /** Says of the newest token what it is worth. */
  async say(verdict: Claims | Error): Promise<void> {
    this.asked.at(-1)!.say(verdict);
    await new Promise((resolve) => setImmediate(resolve));
  }

  /** A client whose token holds for so long. */
  async welcomed(lifeMs: number): Promise<FakeClient> {
    const client = this.stranger();
    hello(client, 'good');
    await this.say(this.valid(lifeMs));
    return client;
  }

  valid(lifeMs: number): Claims {
    return { validUntilMs: this.nowMs + lifeMs, all: {} };
  }

  pass(ms: number): void {
    this.nowMs += ms;
    this.settle();
    this.gateway.checkDeadlines();
  }
}

function hello(client: FakeClient, token: string): void {
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, token } });
}

t.test('AUTH-10: a session is welcomed once its token has been found valid', async (t) => {
  const bench = new GuardedBench();
  const client = bench.stranger();
  hello(client, 'secret');
  t.same(client.frames, [], 'not before');
  t.equal(bench.asked[0].token, 'secret');
  await bench.say(bench.valid(1000));
  t.equal(client.last('welcome')?.validUntilMs, BigInt(bench.nowMs + 1000));
  const eternal = bench.stranger();
  hello(eternal, 'secret');
  await bench.say({ validUntilMs: Number.POSITIVE_INFINITY, all: {} });
  t.equal(eternal.last('welcome')?.validUntilMs, 0n);
});

t.test('AUTH-11: a token that is refused closes the connection with the reason', async (t) => {
  const bench = new GuardedBench();
  const forged = bench.stranger();
  hello(forged, 'forged');
  await bench.say(new TokenError('The token is not valid.'));
  t.match(forged.last('error'), { code: Code.UNAUTHENTICATED, detail: 'The token is not valid.' });
  t.equal(forged.closedWith, UNAUTHENTICATED);
  const early = bench.stranger();
  hello(early, 'early');
  await bench.say(new TokenError('The keys for tokens cannot be had at the moment.', true));
  t.match(early.last('error'), { code: Code.UNAVAILABLE });
  t.equal(early.closedWith, 4000 + Code.UNAVAILABLE);
});

t.test('AUTH-12: while a token is being verified nothing else is taken', async (t) => {
  const bench = new GuardedBench();
  const get = { requestId: 1, kind: OperationKind.GET, map: 'm', key: 'k' };
  const hasty = bench.stranger();
  hello(hasty, 'good');
  hasty.say({ case: 'operations', value: { operations: [get] } });
  t.equal(hasty.closedWith, UNAUTHENTICATED);
  await bench.say(bench.valid(1000));
  bench.settle();
  t.same([hasty.last('welcome'), hasty.results], [undefined, []], 'nor afterwards');
  const twice = bench.stranger();
  hello(twice, 'good');
  hello(twice, 'good');
  t.equal(twice.closedWith, 4000 + Code.INVALID);
});

t.test('AUTH-25: the clock of a stranger moves nothing', async (t) => {
  const bench = new GuardedBench();
  const client = bench.stranger();
  const ahead = BigInt(bench.nowMs + 3000) << 16n;
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, token: 'good' } }, ahead);
  t.ok(bench.clock.ms < bench.nowMs + 3000);
  await bench.say(bench.valid(1000));
  client.say({ case: 'ping', value: { token: 1n } }, ahead);
  t.equal(bench.clock.ms, bench.nowMs + 3000, 'that of a session does');
});

t.test('AUTH-13: the deadline for Hello holds until the token has been verified', async (t) => {
  const bench = new GuardedBench();
  const client = bench.stranger();
  hello(client, 'good');
  const { answers, salt, token } = client.session;
  t.same([answers, salt.length, token.length], [undefined, 0, 0], 'nothing is held for it');
  bench.pass(HELLO_DEADLINE_MS);
  t.equal(client.closedWith, UNAUTHENTICATED);
  await bench.say(bench.valid(1000));
  t.equal(client.last('welcome'), undefined);
});

t.test('AUTH-14: of tokens beyond those verified at one time each is OVERLOADED', async (t) => {
  const bench = new GuardedBench();
  const clients = Array.from({ length: VERIFICATIONS_MAX + 1 }, () => bench.stranger());
  for (const client of clients) hello(client, 'good');
  t.equal(bench.asked.length, VERIFICATIONS_MAX);
  t.equal(clients.at(-1)?.closedWith, 4000 + Code.OVERLOADED);
  await bench.say(bench.valid(1000));
  const late = bench.stranger();
  hello(late, 'good');
  t.equal(late.closedWith, undefined, 'one has been verified since');
});

t.test('AUTH-26: a refresh in the middle of a flood changes nothing', async (t) => {
  const bench = new GuardedBench();
  const client = await bench.welcomed(1000);
  for (let i = 0; i < VERIFICATIONS_MAX; i++) hello(bench.stranger(), 'forged');
  client.say({ case: 'refresh', value: { token: 'newer' } });
  t.equal(client.last('refreshed')?.validUntilMs, BigInt(bench.nowMs + 1000));
  t.equal(client.closedWith, undefined);
  bench.pass(1000);
  t.equal(client.closedWith, UNAUTHENTICATED, 'nor prolongs it');
});

t.test('AUTH-15: a session ends with its token', async (t) => {
  const bench = new GuardedBench();
  const [short, long] = [await bench.welcomed(1000), await bench.welcomed(5000)];
  bench.pass(999);
  t.equal(short.closedWith, undefined);
  bench.pass(1);
  t.match(short.last('error'), { code: Code.UNAUTHENTICATED, detail: 'The token has expired.' });
  t.same([short.closedWith, long.closedWith], [UNAUTHENTICATED, undefined]);
  bench.pass(4000);
  t.equal(long.closedWith, UNAUTHENTICATED);
});

t.test('AUTH-16: a token refreshed in time prolongs its session', async (t) => {
  const bench = new GuardedBench();
  const client = await bench.welcomed(1000);
  bench.pass(900);
  client.say({ case: 'refresh', value: { token: 'newer' } });
  t.equal(bench.asked.at(-1)?.token, 'newer');
  await bench.say(bench.valid(1000));
  t.equal(client.last('refreshed')?.validUntilMs, BigInt(bench.nowMs + 1000));
  bench.pass(999);
  t.equal(client.closedWith, undefined);
  bench.pass(1);
  t.equal(client.closedWith, UNAUTHENTICATED);
});

t.test(
  'AUTH-17: a refresh by a bad token ends the session, one that cannot be verified changes nothing',
  async (t) => {
    const bench = new GuardedBench();
    const [bad, unlucky] = [await bench.welcomed(1000), await bench.welcomed(1000)];
    const endMs = BigInt(bench.nowMs + 1000);
    unlucky.say({ case: 'refresh', value: { token: 'newer' } });
    await bench.say(new TokenError('The keys for tokens cannot be had at the moment.', true));
    t.equal(unlucky.last('refreshed')?.validUntilMs, endMs);
    t.equal(unlucky.closedWith, undefined);
    bad.say({ case: 'refresh', value: { token: 'forged' } });
    await bench.say(new TokenError('The token is not valid.'));
    t.equal(bad.closedWith, UNAUTHENTICATED);
  },
);

t.test('AUTH-18: where no token is needed any is taken, and holds for ever', async (t) => {
  const client = new TestBench().stranger();
  hello(client, 'whatever');
  t.equal(client.last('welcome')?.validUntilMs, 0n);
  client.say({ case: 'refresh', value: { token: 'whatever' } });
  t.equal(client.last('refreshed')?.validUntilMs, 0n);
});
