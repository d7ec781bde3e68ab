import { createPublicKey, createSecretKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { HELLO_DEADLINE_MS, TOKEN_BYTES_MAX, TOKEN_SECONDS_MAX } from '@tidewire/core';
import {
  createLocalJWKSet,
  createRemoteJWKSet,
  errors,
  type JSONWebKeySet,
  type JWTPayload,
  type JWTVerifyGetKey,
  jwtVerify,
} from 'jose';
import { KeyReading } from './key-reading.js';
import { sieve } from './token-sieve.js';

/** Where the keys come from by which tokens are signed. */
export type KeySource =
  /** Shared secret: HS256 alone. At least 32 bytes (RFC 7518 §3.2). */
  | { readonly kind: 'secret'; readonly secret: Uint8Array }
  /** A public key or certificate in PEM; its type decides the one algorithm. */
  | { readonly kind: 'pem'; readonly text: string }
  /** A JSON Web Key Set (RFC 7517); read again when a token names a key that it lacks. */
  | { readonly kind: 'jwks-file'; readonly path: string }
  | { readonly kind: 'jwks-url'; readonly url: URL };

export interface TokenRules {
  readonly keys: KeySource;
  /** One of these must be in the token, if given. */
  readonly audience: string | undefined;
  readonly issuer: string | undefined;
  /** How far the clocks of signer and server may lie apart. */
  readonly leewayMs: number;
}

/** What a valid token says. */
export interface Claims {
  /** Milliseconds since 1970 until which it is valid, leeway included; Infinity: for ever. */
  readonly validUntilMs: number;
  readonly all: Readonly<Record<string, unknown>>;
}

/** A token is refused; the message says why and never repeats the token. */
export class TokenError extends Error {
  override name = 'TokenError';
  /** True: not the token is at fault, its keys cannot be had at the moment. */
  readonly isTransient: boolean;

  constructor(message: string, isTransient = false) {
    super(message);
    this.isTransient = isTransient;
  }
}

/** The keys of a server are no keys: it does not start. The message is a sentence. */
class KeyError extends Error {
  override name = 'KeyError';
}

const SECRET_BYTES_MIN = 32;
/** What is verified by a shorter one is worth nothing (RFC 7518 §3.3). */
const RSA_BITS_MIN = 2048;
/** Keys are not trusted longer without looking: they may have been withdrawn. */
const KEY_SET_AGE_MS = 600_000;
const ASYMMETRIC: readonly string[] = ['RS256', 'ES256', 'EdDSA'];
const NOT_VALID = 'The token is not valid.';
const EXPIRED = 'The token has expired.';
const NO_KEYS = 'The keys for tokens cannot be had at the moment.';

/**
 * Verifies JSON Web Tokens (RFC 7519). The algorithm is decided by the server's key, never by the token:
 * `none` is unknown, and a public key cannot pass for a secret (RFC 8725 §2.1, §3.1).
 */
export class TokenVerifier {
  readonly #rules: TokenRules;
  readonly #nowMs: () => number;
  readonly #key: KeyObject | JWTVerifyGetKey;
  readonly #algorithms: readonly string[];

  private constructor(
    rules: TokenRules,
    nowMs: () => number,
    key: KeyObject | JWTVerifyGetKey,
    algorithms: readonly string[],
  ) {
    this.#rules = rules;
    this.#nowMs = nowMs;
    this.#key = key;
    this.#algorithms = algorithms;
  }

  /** Rejects with KeyError. `nowMs`: milliseconds since 1970. */
  static async create(rules: TokenRules, nowMs: () => number): Promise<TokenVerifier> {
    const { keys } = rules;
    switch (keys.kind) {
      case 'secret':
        return new TokenVerifier(rules, nowMs, secretKey(keys.secret), ['HS256']);
      case 'pem': {
        const key = publicKey(keys.text);
        return new TokenVerifier(rules, nowMs, key, [algorithmOf(key)]);
      }
      case 'jwks-file':
        return new TokenVerifier(rules, nowMs, await fileKeySet(keys.path, nowMs), ASYMMETRIC);
      case 'jwks-url':
        return new TokenVerifier(rules, nowMs, urlKeySet(keys.url, nowMs), ASYMMETRIC);
    }
  }

  /** Rejects with TokenError. */
  async verify(token: string): Promise<Claims> {
    if (token === '') throw new TokenError('A token is needed.');
    if (token.length > TOKEN_BYTES_MAX)
      throw new TokenError(`A token has at most ${TOKEN_BYTES_MAX} bytes.`);
    const { leewayMs } = this.#rules;
    const fault = this.#sieve(token);
    if (fault !== undefined) throw new TokenError(fault === 'expired' ? EXPIRED : NOT_VALID);
    const payload = await this.#payloadOf(token);
    checkTimes(payload);
    const validUntilMs =
      payload.exp === undefined ? Number.POSITIVE_INFINITY : payload.exp * 1000 + leewayMs;
    return { validUntilMs, all: payload };
  }

  #sieve(token: string): ReturnType<typeof sieve> {
    try {
      return sieve(token, {
        algorithms: this.#algorithms,
        key: typeof this.#key === 'function' ? undefined : this.#key,
        nowMs: this.#nowMs(),
        leewayMs: this.#rules.leewayMs,
      });
    } catch (error) {
      throw tokenErrorOf(error); // the library of cryptography has not said what it throws upon
    }
  }

  async #payloadOf(token: string): Promise<JWTPayload> {
    const { audience, issuer, leewayMs } = this.#rules;
    const options = {
      algorithms: [...this.#algorithms],
      clockTolerance: leewayMs / 1000,
      currentDate: new Date(this.#nowMs()),
      ...(audience === undefined ? {} : { audience }),
      ...(issuer === undefined ? {} : { issuer }),
    };
    try {
      const key = this.#key;
      const { payload } =
        typeof key === 'function'
          ? await jwtVerify(token, key, options)
          : await jwtVerify(token, key, options);
      return payload;
    } catch (error) {
      throw tokenErrorOf(error);
    }
  }
}

/**
 * What is no time in seconds, as one in milliseconds or 1e999, would be an end that never comes, or one that
 * no frame can tell.
 */
function checkTimes(payload: JWTPayload): void {
  for (const claim of ['exp', 'nbf', 'iat'] as const) {
    const { [claim]: seconds = 0 } = payload;
    if (!(seconds >= 0 && seconds <= TOKEN_SECONDS_MAX)) throw new TokenError(misfit(claim));
  }
}

function secretKey(secret: Uint8Array): KeyObject {
  if (secret.length < SECRET_BYTES_MIN)
    throw new KeyError(`The secret for tokens has at least ${SECRET_BYTES_MIN} bytes.`);
  return createSecretKey(secret);
}

function publicKey(pem: string): KeyObject {
  try {
    if (!/PRIVATE KEY/.test(pem)) return createPublicKey(pem);
  } catch {
    // said below
  }
  throw new KeyError('The key for tokens is a public key or certificate in PEM.');
}

function algorithmOf(key: KeyObject): string {
  const { modulusLength = 0, namedCurve: curve } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa' && modulusLength >= RSA_BITS_MIN) return 'RS256';
  if (key.asymmetricKeyType === 'ec' && curve === 'prime256v1') return 'ES256';
  if (key.asymmetricKeyType === 'ed25519') return 'EdDSA';
  throw new KeyError(`The key for tokens is of RSA with ${RSA_BITS_MIN} bits, P-256 or Ed25519.`);
}

/** Keys of a URL, fetched when they are needed, when a token names one that is not known, and when they are old. */
function urlKeySet(url: URL, nowMs: () => number): JWTVerifyGetKey {
  const keys = createRemoteJWKSet(url, {
    cooldownDuration: Number.POSITIVE_INFINITY, // unknown keys are looked for here
    cacheMaxAge: KEY_SET_AGE_MS,
    timeoutDuration: HELLO_DEADLINE_MS, // by then nobody waits any more
  });
  const reading = new KeyReading(() => keys.reload(), nowMs);
  return (header, token) => {
    if (!keys.fresh) reading.note();
    return lookUp(keys, reading, header, token);
  };
}

/**
 * Keys of a file that is read again when a token names one that is not known, and when it was read long ago.
 * Where it cannot be read the known keys go on.
 */
async function fileKeySet(path: string, nowMs: () => number): Promise<JWTVerifyGetKey> {
  let keys = createLocalJWKSet(await readKeySet(path));
  let readAtMs = nowMs();
  const reading = new KeyReading(async () => {
    readAtMs = nowMs();
    keys = createLocalJWKSet(await readKeySet(path));
  }, nowMs);
  reading.note();
  return async (header, token) => {
    if (nowMs() - readAtMs >= KEY_SET_AGE_MS) await reading.again().catch(() => {});
    return await lookUp((...sought) => keys(...sought), reading, header, token);
  };
}

/** The key of a token; if it is not known the set is read again first, unless that has just been done. */
async function lookUp(
  keys: JWTVerifyGetKey,
  reading: KeyReading,
  ...sought: Parameters<JWTVerifyGetKey>
): Promise<Awaited<ReturnType<JWTVerifyGetKey>>> {
  try {
    return await keys(...sought);
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    if (!(await reading.again())) throw new TokenError(NO_KEYS, true);
    return await keys(...sought);
  }
}

async function readKeySet(path: string): Promise<JSONWebKeySet> {
  try {
    const set = JSON.parse(await readFile(path, 'utf8')) as JSONWebKeySet;
    createLocalJWKSet(set); // throws unless it is one
    return set;
  } catch (error) {
    throw new KeyError(`The key set ${path} cannot be read: ${(error as Error).message}.`);
  }
}

function tokenErrorOf(error: unknown): TokenError {
  if (error instanceof TokenError) return error;
  if (error instanceof errors.JWTExpired) return new TokenError(EXPIRED);
  if (error instanceof errors.JWTClaimValidationFailed) return new TokenError(misfit(error.claim));
  if (error instanceof errors.JWKSTimeout || error instanceof KeyError || isFetchFailure(error))
    return new TokenError(NO_KEYS, true);
  return new TokenError(NOT_VALID);
}

function misfit(claim: string): string {
  return `The token's claim "${claim}" does not fit this server.`;
}

/** What is thrown when the server of a key set does not answer, or not with a key set. */
function isFetchFailure(error: unknown): boolean {
  return error instanceof TypeError || (error as { code?: unknown }).code === 'ERR_JOSE_GENERIC';
}
