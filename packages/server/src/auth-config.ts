import type { KeySource, TokenRules } from '@tidewire/gateway';
import { ConfigError } from './config-error.js';
import { isLoopbackHost } from './loopback-host.js';

/** Settings of those who come in; the secret has no flag, as command lines can be read by others. */
export const AUTH_SETTINGS = {
  auth: { value: 'HOW', help: 'who may come in: none (anybody) or jwt (default none)' },
  'auth-key': {
    value: 'FILE',
    help: 'public key or certificate in PEM by which tokens are signed',
  },
  'auth-jwks': { value: 'WHERE', help: 'JSON Web Key Set, a file or a URL, instead of one key' },
  'auth-audience': { value: 'NAME', help: 'audience that a token must name' },
  'auth-issuer': { value: 'NAME', help: 'issuer that a token must name' },
  'auth-leeway': { value: 'SECONDS', help: 'how far clocks may lie apart (default 30)' },
  policy: { value: 'FILE', help: 'JSON of what tokens permit; what it does not grant is denied' },
  'allow-no-auth': { value: undefined, help: 'let anybody in from other machines too' },
} as const;

/** The settings as they were given. */
interface AuthSettings {
  readonly auth: 'none' | 'jwt';
  readonly 'auth-key'?: string | undefined;
  readonly 'auth-jwks'?: string | undefined;
  readonly 'auth-audience'?: string | undefined;
  readonly 'auth-issuer'?: string | undefined;
  /** Seconds. */
  readonly 'auth-leeway': number;
  readonly policy?: string | undefined;
  readonly 'allow-no-auth': boolean;
}

/** Where the key of a KeySource of PEM lies. */
type KeyPlace =
  | Exclude<KeySource, { kind: 'pem' }>
  | { readonly kind: 'pem-file'; readonly path: string };

/** How tokens are verified. */
export interface AuthConfig extends Omit<TokenRules, 'keys'> {
  readonly keys: KeyPlace;
  /** File of the policy; undefined: tokens alone grant something. */
  readonly policy: string | undefined;
}

/** Undefined: anybody may come in. @throws ConfigError */
export function authConfigOf(
  settings: AuthSettings,
  { secret, host }: { secret: string | undefined; host: string },
): AuthConfig | undefined {
  if (settings.auth === 'none') {
    checkNone(settings, host);
    return undefined;
  }
  return {
    keys: keyPlaceOf(settings, secret),
    audience: settings['auth-audience'],
    issuer: settings['auth-issuer'],
    leewayMs: settings['auth-leeway'] * 1000,
    policy: settings.policy,
  };
}

function checkNone(settings: AuthSettings, host: string): void {
  const names = ['auth-key', 'auth-jwks', 'auth-audience', 'auth-issuer', 'policy'] as const;
  const given = names.find((name) => settings[name] !== undefined);
  if (given !== undefined) throw new ConfigError(`--${given} needs --auth jwt.`);
  if (isLoopbackHost(host) || settings['allow-no-auth']) return;
  throw new ConfigError(
    `On ${host} anybody could come in: --auth jwt asks for tokens, --allow-no-auth lets them.`,
  );
}

function keyPlaceOf(settings: AuthSettings, secret: string | undefined): KeyPlace {
  const { 'auth-key': key, 'auth-jwks': jwks } = settings;
  const count = [secret, key, jwks].filter((source) => source !== undefined).length;
  if (count !== 1)
    throw new ConfigError(
      "--auth jwt needs one of --auth-key, --auth-jwks and the environment's TIDEWIRE_AUTH_SECRET.",
    );
  if (secret !== undefined) return { kind: 'secret', secret: new TextEncoder().encode(secret) };
  if (key !== undefined) return { kind: 'pem-file', path: key };
  return keySetPlaceOf(jwks as string);
}

/** Without TLS keys could be forged on their way. */
function keySetPlaceOf(text: string): KeyPlace {
  if (!/^https?:/.test(text)) return { kind: 'jwks-file', path: text };
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol === 'http:' && !isLoopbackHost(url.hostname)))
    throw new ConfigError('--auth-jwks is a file, or a URL with https:.');
  return { kind: 'jwks-url', url };
}
