import { createHmac, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';

const RSA_BITS = 2048;
const HOUR_S = 3600;
/** Everything on every map. */
const GRANTS = [{ maps: ['*'], rights: ['read', 'write', 'subscribe', 'execute'] }];

/** Tokens as whoever attacks would bring them. */
export interface BadTokens {
  /** Signed by a key of somebody else. */
  readonly forged: string;
  readonly expired: string;
  /** `alg: none`, without a signature. */
  readonly unsigned: string;
  /** HS256 with the public key for a secret. */
  readonly confused: string;
}

/** Signs tokens (RS256) for a server that knows the public key. */
export class TokenMint {
  /** For `--auth-key`, in PEM. */
  readonly publicKey: string;
  readonly #privateKey: KeyObject;

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: RSA_BITS });
    this.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.#privateKey = privateKey;
  }

  /** Good for an hour. */
  valid(): string {
    return signed(this.#privateKey, HOUR_S);
  }

  bad(): BadTokens {
    const stranger = generateKeyPairSync('rsa', { modulusLength: RSA_BITS }).privateKey;
    const mac = (text: string): Buffer =>
      createHmac('sha256', this.publicKey).update(text).digest();
    return {
      forged: signed(stranger, HOUR_S),
      expired: signed(this.#privateKey, -HOUR_S),
      unsigned: token('none', HOUR_S, () => Buffer.alloc(0)),
      confused: token('HS256', HOUR_S, mac),
    };
  }
}

function signed(key: KeyObject, lifeS: number): string {
  return token('RS256', lifeS, (text) => sign('sha256', Buffer.from(text), key));
}

function token(alg: string, lifeS: number, signature: (text: string) => Buffer): string {
  const nowS = Math.floor(Date.now() / 1000);
  const claims = { sub: 'perf', exp: nowS + lifeS, 'tidewire.grants': GRANTS };
  const text = [{ alg, typ: 'JWT' }, claims]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  return `${text}.${signature(text).toString('base64url')}`;
}
