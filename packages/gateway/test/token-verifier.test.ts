import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { KEY_WAITERS_MAX, TOKEN_BYTES_MAX } from '@tidewire/core';
import { base64url, exportJWK, SignJWT, UnsecuredJWT } from 'jose';
import t, { type Test } from 'tap';
import { type KeySource, type TokenRules, TokenVerifier } from '#lib/access/token-verifier.js';

const NOW_MS = 1_800_000_000_000;
const NOW_S: number = NOW_MS / 1000;
const SECRET = randomBytes(32);
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ED = generateKeyPairSync('ed25519');

function pemOf(pair: typeof RSA): string {
  return pair.publicKey.export({ type: 'spki', format: 'pem' }).toString();
}

function rulesOf(keys: KeySource, rules: Partial<TokenRules> = {}): TokenRules {
  return { keys, audience: undefined, issuer: undefined, leewayMs: 0, ...rules };
}

async function verifierOf(keys: KeySource, rules: Partial<TokenRules> = {}) {
  return await TokenVerifier.create(rulesOf(keys, rules), () => NOW_MS);
}

function token(claims: object = {}): SignJWT {
  return new SignJWT({ sub: 'ann', ...claims });
}

t.test('AUTH-1: a token of each algorithm is taken by its key', async (t) => {
  const pairs = [
    ['RS256', RSA],
    ['ES256', EC],
    ['EdDSA', ED],
  ] as const;
  for (const [alg, pair] of pairs) {
    const verifier = await verifierOf({ kind: 'pem', text: pemOf(pair as typeof RSA) });
    const signed = await token().setProtectedHeader({ alg }).sign(pair.privateKey);
    const { all, validUntilMs } = await verifier.verify(signed);
    t.equal(all['sub'], 'ann', alg);
    t.equal(validUntilMs, Number.POSITIVE_INFINITY);
  }
  const verifier = await verifierOf({ kind: 'secret', secret: SECRET });
  const signed = await token().setProtectedHeader({ alg: 'HS256' }).sign(SECRET);
  t.equal((await verifier.verify(signed)).all['sub'], 'ann', 'HS256');
});

async function refuses(t: Test, verifier: TokenVerifier, text: string, message: RegExp) {
  await t.rejects(verifier.verify(text), { name: 'TokenError', message, isTransient: false });
}

t.test('AUTH-2: no token, a forged one and one of no algorithm are refused', async (t) => {
  const verifier = await verifierOf({ kind: 'secret', secret: SECRET });
  const signed = await token().setProtectedHeader({ alg: 'HS256' }).sign(SECRET);
  await refuses(t, verifier, '', /needed/);
  await refuses(t, verifier, 'x'.repeat(TOKEN_BYTES_MAX + 1), /at most/);
  await refuses(t, verifier, 'no token', /not valid/);
  await refuses(t, verifier, `${signed.slice(0, -2)}AA`, /not valid/);
  const [head, body, signature] = signed.split('.');
  const forged = base64url.encode(JSON.stringify({ sub: 'root' }));
  await refuses(t, verifier, [head, forged, signature].join('.'), /not valid/);
  await refuses(t, verifier, new UnsecuredJWT({ sub: 'ann' }).encode(), /not valid/);
  const none = base64url.encode(JSON.stringify({ alg: 'none' }));
  await refuses(t, verifier, [none, body, ''].join('.'), /not valid/);
  await refuses(t, verifier, [none, body, signature].join('.'), /not valid/);
});

t.test(
  'AUTH-3: a public key does not pass for a secret, nor one algorithm for another',
  async (t) => {
    const pem = pemOf(RSA);
    const verifier = await verifierOf({ kind: 'pem', text: pem });
    const confused = await token().setProtectedHeader({ alg: 'HS256' }).sign(Buffer.from(pem));
    await refuses(t, verifier, confused, /not valid/);
    const stronger = await token().setProtectedHeader({ alg: 'RS512' }).sign(RSA.privateKey);
    await refuses(t, verifier, stronger, /not valid/);
    const other = await token().setProtectedHeader({ alg: 'ES256' }).sign(EC.privateKey);
    await refuses(t, verifier, other, /not valid/);
  },
);

t.test('AUTH-9: a key that the token brings along, or names a place of, is not used', async (t) => {
  const jwk = await exportJWK(EC.publicKey);
  const path = join(t.testdir(), 'keys.json');
  await writeFile(path, JSON.stringify({ keys: [{ ...(await exportJWK(RSA.publicKey)) }] }));
  const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const sources: KeySource[] = [
    { kind: 'jwks-file', path },
    { kind: 'pem', text: pemOf(other as unknown as typeof RSA) },
  ];
  for (const source of sources) {
    const verifier = await verifierOf(source);
    for (const more of [
      { jwk },
      { jku: 'http://127.0.0.1:1/k' },
      { x5u: 'http://127.0.0.1:1/k' },
    ]) {
      const header = { alg: 'ES256', ...more };
      const forged = await token().setProtectedHeader(header).sign(EC.privateKey);
      await refuses(t, verifier, forged, /not valid/);
    }
  }
});

t.test('AUTH-4: time, audience and issuer must fit, within the leeway', async (t) => {
  const keys: KeySource = { kind: 'secret', secret: SECRET };
  const sign = async (made: SignJWT) =>
    await made.setProtectedHeader({ alg: 'HS256' }).sign(SECRET);
  const strict = await verifierOf(keys);
  const lenient = await verifierOf(keys, { leewayMs: 5000 });
  const expired = await sign(token().setExpirationTime(NOW_S - 3));
  await refuses(t, strict, expired, /expired/);
  t.equal((await lenient.verify(expired)).validUntilMs, NOW_MS + 2000, 'until the leeway ends');
  const early = await sign(token().setNotBefore(NOW_S + 3));
  await refuses(t, strict, early, /"nbf"/);
  await t.resolves(lenient.verify(early));
  const placed = await verifierOf(keys, { audience: 'tidewire', issuer: 'login' });
  const right = await sign(token().setAudience(['other', 'tidewire']).setIssuer('login'));
  await t.resolves(placed.verify(right));
  await refuses(t, placed, await sign(token().setIssuer('login')), /"aud"/);
  await refuses(t, placed, await sign(token().setAudience('tidewire').setIssuer('x')), /"iss"/);
});

t.test('AUTH-5: a key set is read again for a key that it lacked, not at every try', async (t) => {
  const path = join(t.testdir(), 'keys.json');
  const keyOf = async (pair: typeof EC, kid: string) => ({
    ...(await exportJWK(pair.publicKey)),
    kid,
    alg: 'ES256',
  });
  const sign = async (pair: typeof EC, kid: string) =>
    await token().setProtectedHeader({ alg: 'ES256', kid }).sign(pair.privateKey);
  await writeFile(path, JSON.stringify({ keys: [await keyOf(EC, 'one')] }));
  let nowMs = NOW_MS;
  const rules = rulesOf({ kind: 'jwks-file', path });
  const verifier = await TokenVerifier.create(rules, () => nowMs);
  await t.resolves(verifier.verify(await sign(EC, 'one')));
  const next = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(path, JSON.stringify({ keys: [await keyOf(next, 'two')] }));
  await refuses(t, verifier, await sign(next, 'two'), /not valid/);
  nowMs += 10_000;
  await t.resolves(verifier.verify(await sign(next, 'two')), 'after the interval it is read again');
  await refuses(t, verifier, await sign(EC, 'one'), /not valid/);
  nowMs += 10_000;
  await writeFile(path, 'broken');
  await t.rejects(verifier.verify(await sign(EC, 'three')), {
    name: 'TokenError',
    isTransient: true,
  });
  await t.resolves(verifier.verify(await sign(next, 'two')), 'the known keys go on');
});

t.test('AUTH-7: keys that were withdrawn are not trusted for long', async (t) => {
  const path = join(t.testdir(), 'keys.json');
  const jwk = { ...(await exportJWK(EC.publicKey)), kid: 'one', alg: 'ES256' };
  const next = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const other = { ...(await exportJWK(next.publicKey)), kid: 'two', alg: 'ES256' };
  await writeFile(path, JSON.stringify({ keys: [jwk] }));
  let nowMs = NOW_MS;
  const verifier = await TokenVerifier.create(rulesOf({ kind: 'jwks-file', path }), () => nowMs);
  const header = { alg: 'ES256', kid: 'one' };
  const signed = await token().setProtectedHeader(header).sign(EC.privateKey);
  await t.resolves(verifier.verify(signed));
  await writeFile(path, 'broken');
  nowMs += 600_000;
  await t.resolves(verifier.verify(signed), 'while nothing can be read the known keys go on');
  await writeFile(path, JSON.stringify({ keys: [other] }));
  await t.resolves(verifier.verify(signed), 'for a while');
  nowMs += 600_000;
  await refuses(t, verifier, signed, /not valid/);
});

t.test(
  'AUTH-8: a key set of a URL is fetched when it is needed, and when keys rotate',
  async (t) => {
    let fetched = 0;
    let keys: object[] | undefined;
    const server = createServer((_, response) => {
      fetched++;
      response.writeHead(keys === undefined ? 503 : 200).end(JSON.stringify({ keys }));
    });
    t.teardown(() => server.close());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    let nowMs = NOW_MS;
    const { port } = server.address() as AddressInfo;
    const url = new URL(`http://127.0.0.1:${port}/keys.json`);
    const verifier = await TokenVerifier.create(rulesOf({ kind: 'jwks-url', url }), () => nowMs);
    const next = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const sign = async (pair: typeof EC, kid: string) =>
      await token().setProtectedHeader({ alg: 'ES256', kid }).sign(pair.privateKey);
    const keyOf = async (pair: typeof EC, kid: string) => ({
      ...(await exportJWK(pair.publicKey)),
      kid,
    });
    await t.rejects(
      verifier.verify(await sign(EC, 'one')),
      { name: 'TokenError', isTransient: true },
      'it is away',
    );
    nowMs += 10_000;
    keys = [await keyOf(EC, 'one')];
    await t.resolves(verifier.verify(await sign(EC, 'one')));
    t.equal(fetched, 2);
    keys = [await keyOf(next, 'two')];
    for (let i = 0; i < 5; i++) await refuses(t, verifier, await sign(next, 'two'), /not valid/);
    t.equal(fetched, 2, 'strangers cannot have it fetched at will');
    nowMs += 10_000;
    await t.resolves(verifier.verify(await sign(next, 'two')));
    await refuses(t, verifier, await sign(EC, 'one'), /not valid/);
  },
);

t.test('AUTH-37: a key set that cannot be had stops nobody whose key is known', async (t) => {
  const held: ServerResponse[] = [];
  let isAway = false;
  const jwk = { ...(await exportJWK(EC.publicKey)), kid: 'one' };
  const server = createServer((_, response) => {
    if (isAway) held.push(response);
    else response.end(JSON.stringify({ keys: [jwk] }));
  });
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let nowMs = NOW_MS;
  const { port } = server.address() as AddressInfo;
  const url = new URL(`http://127.0.0.1:${port}/keys.json`);
  const verifier = await TokenVerifier.create(rulesOf({ kind: 'jwks-url', url }), () => nowMs);
  const sign = async (kid: string) =>
    await token().setProtectedHeader({ alg: 'ES256', kid }).sign(EC.privateKey);
  const [known, unknown] = [await sign('one'), await sign('two')];
  await t.resolves(verifier.verify(known));
  isAway = true;
  nowMs += 10_000;
  const waiting = Array.from({ length: KEY_WAITERS_MAX }, () => verifier.verify(unknown));
  const refused = { name: 'TokenError', isTransient: true };
  await t.rejects(verifier.verify(unknown), refused, 'one more does not wait');
  await t.resolves(verifier.verify(known), 'one whose key is known need not');
  t.ok(held.length <= 1, 'all wait for one fetch');
  server.closeAllConnections();
  for (const one of waiting) await t.rejects(one, refused);
  await t.rejects(verifier.verify(unknown), refused, 'at once');
  await t.resolves(verifier.verify(known));
});

t.test('AUTH-49: forgers beside a silent key set keep nobody out whose key is known', async (t) => {
  const held: ServerResponse[] = [];
  let isAway = false;
  const jwk = { ...(await exportJWK(EC.publicKey)), kid: 'one' };
  const server = createServer((_, response) => {
    if (isAway) held.push(response);
    else response.end(JSON.stringify({ keys: [jwk] }));
  });
  t.teardown(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  let nowMs = NOW_MS;
  const { port } = server.address() as AddressInfo;
  const url = new URL(`http://127.0.0.1:${port}/keys.json`);
  const verifier = await TokenVerifier.create(rulesOf({ kind: 'jwks-url', url }), () => nowMs);
  const sign = async (kid: string) =>
    await token().setProtectedHeader({ alg: 'ES256', kid }).sign(EC.privateKey);
  const known = await sign('one');
  await t.resolves(verifier.verify(known));
  isAway = true;
  const refused = { name: 'TokenError', isTransient: true };
  for (const ageMs of [10_000, 600_000, 20_000]) {
    nowMs += ageMs;
    const unknown = await Promise.all(Array.from({ length: 100 }, (_, i) => sign(`forged ${i}`)));
    const forgers = unknown.map((each) => t.rejects(verifier.verify(each), refused));
    if (ageMs === 20_000) await t.resolves(verifier.verify(known), 'though it is old and silent');
    const honest = verifier.verify(known);
    for (const response of held.splice(0)) response.destroy();
    await t.resolves(honest);
    server.closeAllConnections();
    await Promise.all(forgers);
  }
  nowMs += 3_600_000;
  await t.rejects(verifier.verify(known), refused, 'no key is trusted so long without looking');
});

t.test('AUTH-6: what is no key for tokens is refused with a sentence', async (t) => {
  const bad: [KeySource, RegExp][] = [
    [{ kind: 'secret', secret: randomBytes(31) }, /at least 32 bytes/],
    [{ kind: 'pem', text: 'nonsense' }, /public key/],
    [{ kind: 'jwks-file', path: '/nowhere/keys.json' }, /cannot be read/],
  ];
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
  bad.push([{ kind: 'pem', text: pemOf(p384 as unknown as typeof RSA) }, /P-256/]);
  const short = generateKeyPairSync('rsa', { modulusLength: 1024 });
  bad.push([{ kind: 'pem', text: pemOf(short) }, /2048 bits/]);
  const secret = RSA.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  bad.push([{ kind: 'pem', text: secret }, /public key/]);
  for (const [keys, message] of bad)
    await t.rejects(
      TokenVerifier.create(rulesOf(keys), () => NOW_MS),
      {
        name: 'KeyError',
        message,
      },
    );
});
