import { createHmac, createSecretKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import { base64url, SignJWT } from 'jose';
import t from 'tap';
import { type SieveRules, sieve } from '#lib/access/token-sieve.js';

const NOW_MS = 1_800_000_000_000;
const RSA = generateKeyPairSync('rsa', { modulusLength: 2048 });
const EC = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const ED = generateKeyPairSync('ed25519');
const SECRET = createSecretKey(randomBytes(32));

const KINDS = [
  ['RS256', RSA.privateKey, RSA.publicKey],
  ['ES256', EC.privateKey, EC.publicKey],
  ['EdDSA', ED.privateKey, ED.publicKey],
  ['HS256', SECRET, SECRET],
] as const;

function rulesOf(alg: string, key: SieveRules['key']): SieveRules {
  return { algorithms: [alg], key, nowMs: NOW_MS, leewayMs: 5000 };
}

function tokenOf(alg: string, endMs: number): SignJWT {
  return new SignJWT({ sub: 'ann', exp: endMs / 1000 }).setProtectedHeader({ alg });
}

t.test('AUTH-36: what is certainly no valid token is refused at first sight', async (t) => {
  for (const [alg, own, shown] of KINDS) {
    const rules = rulesOf(alg, shown);
    const good = await tokenOf(alg, NOW_MS).sign(own);
    t.equal(sieve(good, rules), undefined, `${alg} within the leeway`);
    t.equal(sieve(await tokenOf(alg, NOW_MS - 5000).sign(own), rules), 'expired', alg);
    const [head, , signature] = good.split('.');
    const other = base64url.encode(JSON.stringify({ sub: 'root' }));
    const forged = [head, other, signature].join('.');
    t.equal(sieve(forged, rules), 'signature', alg);
    t.equal(sieve([head, other, ''].join('.'), rules), 'signature', alg);
    t.equal(sieve(forged, { ...rules, key: undefined }), undefined, 'a key set may tell');
    t.equal(sieve(good, { ...rules, algorithms: ['X'] }), 'algorithm', alg);
  }
  const rules = rulesOf('RS256', RSA.publicKey);
  const pem = RSA.publicKey.export({ type: 'spki', format: 'pem' }).toString();
  const text = `${base64url.encode(JSON.stringify({ alg: 'HS256' }))}.${base64url.encode('{}')}`;
  const mac = createHmac('sha256', pem).update(text).digest('base64url');
  t.equal(sieve(`${text}.${mac}`, rules), 'algorithm', 'a public key is no secret');
});

t.test('AUTH-36: what is no token at all is refused, too', async (t) => {
  const rules = rulesOf('HS256', SECRET);
  const [none, list, text] = ['null', '[]', '"x"'].map((json) => base64url.encode(json));
  const head = base64url.encode(JSON.stringify({ alg: 'HS256' }));
  for (const token of ['', '.', '..', 'a.b.c', 'a.b.c.d', `${none}.${none}.x`, `${head}.${text}.x`])
    t.equal(sieve(token, rules), 'malformed', token);
  t.equal(sieve(`${list}.${list}.x`, rules), 'algorithm');
});
