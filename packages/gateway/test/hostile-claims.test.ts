import { createHmac, randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { Code, TOKEN_SECONDS_MAX } from '@tidewire/core';
import { OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { EMPTY_POLICY, readPolicy } from '#lib/access/policy.js';
import { TokenVerifier } from '#lib/access/token-verifier.js';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';

const UNAUTHENTICATED = 4000 + Code.UNAUTHENTICATED;
const SECRET = randomBytes(32);
const GRANTS = '"tidewire.grants":[{"maps":["*"],"rights":["read","write","subscribe","execute"]}]';
/** Of a claim that is a time: what JSON can say, and no clock. */
const NO_TIMES = ['1e16', '2e16', '1.79e18', '1e300', '1e999', '-1e999', '-1', '"1e16"', '"soon"'];
const MORE_NO_TIMES = [String(TOKEN_SECONDS_MAX + 1), 'true', 'null', '[]', '{}', '[1800000000]'];

const GET = { kind: OperationKind.GET, key: 'ann' };

/** A token of any text for claims, signed as it should be. */
function signed(claims: string): string {
  const parts = ['{"alg":"HS256"}', claims].map((part) => Buffer.from(part).toString('base64url'));
  const head = parts.join('.');
  return `${head}.${createHmac('sha256', SECRET).update(head).digest('base64url')}`;
}

/** A gateway that verifies tokens as a server does, whose clock is the test's. */
class SecretBench extends TestBench {
  static async create(policy = EMPTY_POLICY): Promise<SecretBench> {
    let bench: SecretBench | undefined;
    const verifier = await TokenVerifier.create(
      {
        keys: { kind: 'secret', secret: SECRET },
        audience: undefined,
        issuer: undefined,
        leewayMs: 0,
      },
      () => bench?.nowMs ?? 0,
    );
    bench = new SecretBench({ access: { policy, verify: (token) => verifier.verify(token) } });
    return bench;
  }

  async comes(token: string): Promise<FakeClient> {
    const client = this.stranger();
    client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, token } });
    await this.verified();
    return client;
  }

  async refreshes(client: FakeClient, token: string): Promise<void> {
    client.say({ case: 'refresh', value: { token } });
    await this.verified();
  }

  /** What a token's signature is worth is found by a thread of the pool. */
  async verified(): Promise<void> {
    while (this.gateway.verifying > 0) await turn();
  }
}

for (const claim of ['exp', 'nbf', 'iat'])
  t.test(`AUTH-46: a token whose ${claim} is no time in seconds is refused`, async (t) => {
    const bench = await SecretBench.create();
    const standing = await bench.comes(signed(`{"sub":"ann",${GRANTS}}`));
    t.ok(standing.last('welcome'));
    for (const time of [...NO_TIMES, ...MORE_NO_TIMES]) {
      const token = signed(`{"sub":"ann",${GRANTS},"${claim}":${time}}`);
      const comer = await bench.comes(token);
      t.equal(comer.closedWith, UNAUTHENTICATED, time);
      t.notOk(comer.last('welcome'), time);
      const other = await bench.comes(signed(`{"sub":"ann",${GRANTS}}`));
      await bench.refreshes(other, token);
      t.equal(other.closedWith, UNAUTHENTICATED, `refresh by ${time}`);
    }
    standing.say({ case: 'ping', value: { token: 1n } });
    t.ok(standing.last('pong'), 'others go on');
  });

t.test('AUTH-46: the last time there is, and parts of seconds, are taken', async (t) => {
  const bench = await SecretBench.create();
  const nowS = bench.nowMs / 1000;
  const last = await bench.comes(signed(`{"exp":${TOKEN_SECONDS_MAX},"nbf":0,"iat":0.5}`));
  t.equal(last.last('welcome')?.validUntilMs, BigInt(TOKEN_SECONDS_MAX) * 1000n);
  const broken = await bench.comes(signed(`{"exp":${nowS + 1.0009}}`));
  t.equal(broken.last('welcome')?.validUntilMs, BigInt(bench.nowMs + 1000));
  await bench.refreshes(broken, signed(`{"exp":${TOKEN_SECONDS_MAX}}`));
  t.equal(broken.last('refreshed')?.validUntilMs, BigInt(TOKEN_SECONDS_MAX) * 1000n);
});

t.test('AUTH-47: whatever signed claims say, a session is welcomed or closed', async (t) => {
  const policy = readPolicy({
    rolesClaim: 'roles',
    grants: [
      { maps: ['a'], rights: ['read'], where: `owner = '\${sub}' and age > '\${age}'` },
      { maps: ['b'], rights: ['read'], where: `$key prefix '\${sub}'` },
    ],
  });
  const bench = await SecretBench.create(policy);
  const deep = `${'['.repeat(2900)}${']'.repeat(2900)}`;
  const odd = ['1e999', '-1e999', '1e300', '-0', 'null', '[]', '{}', '""', '"\\ud800"', deep];
  const wheres = odd.map((value) => `"key = ${value.replaceAll('"', "'")}"`);
  const grantsOf = (where: string): string =>
    `"tidewire.grants":[{"maps":["m"],"rights":["read"],"where":${where}}]`;
  const bodies = [
    ...odd,
    ...odd.flatMap((value) =>
      ['sub', 'age', 'roles', 'aud', 'iss', 'tidewire.grants', '__proto__'].map(
        (claim) => `{"${claim}":${value}}`,
      ),
    ),
    ...[...wheres, ...odd].map((where) => `{${grantsOf(where)}}`),
    `{"sub":"ann","age":1e999,${grantsOf(`"owner = '\${age}'"`)}}`,
  ];
  for (const body of bodies) {
    const client = await bench.comes(signed(body));
    const isEither = client.last('welcome') !== undefined || client.closedWith !== undefined;
    t.ok(isEither, body.slice(0, 60));
    if (client.closedWith !== undefined) continue;
    const operations = ['a', 'b', 'm'].map((map, i) => ({ ...GET, map, requestId: i + 1 }));
    client.say({ case: 'operations', value: { operations } });
    bench.settle();
    t.equal(client.results.length, 3, body.slice(0, 60));
    await bench.refreshes(client, signed(body));
  }
});
