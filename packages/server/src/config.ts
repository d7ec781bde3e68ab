import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ARENA_BYTES_MAX, ARENA_BYTES_MIN, TOKEN_LEEWAY_MS, WORKERS_MAX } from '@tidewire/core';
import {
  type GatewayLimits,
  type TlsFiles,
  TRANSPORTS,
  type TransportName,
} from '@tidewire/gateway';
import { z } from 'zod';
import { AUTH_SETTINGS, type AuthConfig, authConfigOf } from './auth-config.js';
import { ConfigError } from './config-error.js';
import { limitHelp, limitsOf } from './limit-config.js';
import { durationMs, isMapName, mapTtlOf } from './map-ttl.js';

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  K: 1024,
  M: 1024 ** 2,
  G: 1024 ** 3,
};

/** The settings of a server; each by flag, environment or file, in this order of precedence. */
const SETTINGS = {
  port: { value: 'N', help: 'TCP port (default 7271; 0 takes a free one)' },
  host: { value: 'HOST', help: 'address to listen on (default 127.0.0.1)' },
  'admin-port': {
    value: 'N',
    help: 'port for the operator: /metrics, /info, /maps (default: that of --port + 1)',
  },
  'admin-host': {
    value: 'HOST',
    help: 'its address, where whoever reaches it may read all (default 127.0.0.1)',
  },
  workers: { value: 'N', help: 'partition workers (default: cores − 2, at least 1)' },
  memory: { value: 'SIZE', help: 'memory for records, as 512M or 4G (default: 25 % of RAM)' },
  'data-dir': { value: 'DIR', help: 'embedded Postgres and local files (default .tidewire)' },
  'database-url': { value: 'URL', help: 'a Postgres server instead of the embedded one' },
  'log-level': { value: 'LEVEL', help: 'debug, info, warn or error (default info)' },
  transport: {
    value: 'NAME',
    help: 'WebSocket library: uws, or ws (default: uws where it has a binary)',
  },
  'tls-key': { value: 'FILE', help: 'private key in PEM: speak TLS; SIGHUP reads the files again' },
  'tls-cert': { value: 'FILE', help: 'its certificate in PEM, and those that vouch for it' },
  'allow-origin': {
    value: 'LIST',
    help: 'pages that may connect, as https://a.org,https://b.org, or * (default: those of this machine)',
  },
  ...AUTH_SETTINGS,
  processors: {
    value: 'FILE',
    help: 'an ES module whose functions clients may execute on records',
  },
  'map-ttl': {
    value: 'MAP=TIME',
    help: 'lifetime of what is put into a map without one, as sessions=30m; for more maps repeat it',
  },
  limit: {
    value: 'NAME=N',
    help: 'a limit from the list below, as in-flight=100; for more of them repeat it',
  },
  'take-over': {
    value: undefined,
    help: 'end the server that holds the database of --database-url',
  },
  config: {
    value: 'FILE',
    help: 'a JSON file with any of these settings, "maps": { "sessions": { "ttl": "30m" } } and "limits": { "in-flight": 100 }',
  },
  help: { value: undefined, help: 'this text' },
} as const;

const SIZE = 'is a number of bytes, as 512M or 4G';

const Size = z
  .union([z.string(), z.number()], SIZE)
  .transform((text) => /^(\d+)([KMG]?)(i?B)?$/i.exec(String(text)))
  .refine((match) => match !== null, SIZE)
  .transform((match) => Number(match?.[1]) * UNITS[(match?.[2] ?? '').toUpperCase()]);

const Flag = z.union(
  [z.boolean(), z.enum(['true', 'false']).transform((text) => text === 'true')],
  'is true or false',
);

const Port = whole(0, 65_535);

const Text = z.string('is a text').min(1, 'is not empty');

const Path = Text.transform((path) => resolve(path));

const ORIGINS = 'is a list of origins, as https://example.org, or *';

const Origins = z
  .union(
    [
      z.string().transform((text) => text.split(',').map((part) => part.trim())),
      z.array(z.string()),
    ],
    ORIGINS,
  )
  .refine((origins) => origins.every(isOrigin), ORIGINS);

const TIME = 'is a time, as 45s, 30m, 12h or 7d';

const Ttl = z
  .string(TIME)
  .refine((text) => durationMs(text) !== undefined, TIME)
  .transform((text) => durationMs(text) as number);

const Texts = z
  .union([z.string(), z.array(z.string())], 'is a text or a list of texts')
  .transform((texts) => [texts].flat().flatMap((text) => text.split(',')));

const MapTtls = Texts.refine(
  (texts) => texts.every((text) => mapTtlOf(text) !== undefined),
  'is a map and a time, as sessions=30m',
).transform((texts) => new Map(texts.map((text) => mapTtlOf(text) as [string, number])));

const Maps = z
  .record(
    z.string(),
    z.strictObject({ ttl: Ttl }, 'is as { "ttl": "30m" }'),
    'are lifetimes by map',
  )
  .refine((maps) => Object.keys(maps).every(isMapName), 'names maps of 1 to 128 bytes');

const LEEWAY = 'is a number of seconds, 0 to 3600';

const ConfigSchema = z.strictObject({
  port: Port.default(7271),
  host: Text.default('127.0.0.1'),
  'admin-port': Port.optional(),
  'admin-host': Text.default('127.0.0.1'),
  workers: whole(1, WORKERS_MAX).default(() =>
    Math.min(WORKERS_MAX, Math.max(1, availableParallelism() - 2)),
  ),
  memory: Size.default(() => Math.floor(totalmem() / 4)),
  'data-dir': Path.default(() => resolve('.tidewire')),
  'database-url': z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'is a URL as postgres://user@host/database')
    .optional(),
  'log-level': oneOf(['debug', 'info', 'warn', 'error']).default('info'),
  'map-ttl': MapTtls.default(() => new Map()),
  maps: Maps.default({}),
  limit: Texts.default([]),
  limits: z.record(z.string(), z.unknown(), 'are numbers by name').default({}),
  'take-over': Flag.default(false),
  transport: oneOf(TRANSPORTS).optional(),
  'tls-key': Path.optional(),
  'tls-cert': Path.optional(),
  'allow-origin': Origins.optional(),
  auth: oneOf(['none', 'jwt']).default('none'),
  'auth-key': Path.optional(),
  'auth-jwks': Text.optional(),
  'auth-audience': Text.optional(),
  'auth-issuer': Text.optional(),
  'auth-leeway': z.coerce
    .number(LEEWAY)
    .min(0, LEEWAY)
    .max(3600, LEEWAY)
    .default(TOKEN_LEEWAY_MS / 1000),
  policy: Path.optional(),
  'allow-no-auth': Flag.default(false),
  processors: Path.optional(),
});

export interface Config {
  readonly port: number;
  readonly host: string;
  readonly adminPort: number;
  readonly adminHost: string;
  readonly workers: number;
  /** Bytes of each worker's arena. */
  readonly arenaBytes: number;
  readonly dataDir: string;
  readonly databaseUrl: string | undefined;
  readonly logLevel: string;
  readonly takeOver: boolean;
  /** Lifetime in milliseconds of what is put without one, by the name of the map. */
  readonly mapTtls: ReadonlyMap<string, number>;
  readonly limits: GatewayLimits;
  /** Undefined: the best there is. */
  readonly transport: TransportName | undefined;
  readonly tls: TlsFiles | undefined;
  /** File of the module with the processors. */
  readonly processors: string | undefined;
  /** Undefined: pages of this machine. */
  readonly allowOrigin: readonly string[] | undefined;
  /** Undefined: anybody may come in. */
  readonly auth: AuthConfig | undefined;
  /** There is a secret for tokens, and none is asked for. */
  readonly isSecretIgnored: boolean;
}

/** Reads the settings, or undefined if only help was asked for. Throws ConfigError. */
export function readConfig(
  args: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): Config | undefined {
  const flags = readFlags(args);
  if (flags['help'] === true) return undefined;
  const file = flags['config'] ?? environment['TIDEWIRE_CONFIG'];
  const settings = {
    ...(typeof file === 'string' ? readConfigFile(file) : {}),
    ...readEnvironment(environment),
    ...flags,
  };
  delete settings['config'];
  const parsed = ConfigSchema.safeParse(settings);
  if (!parsed.success) throw new ConfigError(describe(parsed.error));
  const { memory, workers } = parsed.data;
  const arenaBytes = Math.floor(memory / workers);
  if (arenaBytes < ARENA_BYTES_MIN)
    throw new ConfigError(`--memory is at least ${ARENA_BYTES_MIN >> 20}M for each worker.`);
  const secret = environment['TIDEWIRE_AUTH_SECRET'] || undefined;
  return {
    port: parsed.data.port,
    host: parsed.data.host,
    adminPort: parsed.data['admin-port'] ?? portBeside(parsed.data.port),
    adminHost: parsed.data['admin-host'],
    workers,
    arenaBytes: Math.min(arenaBytes, ARENA_BYTES_MAX),
    dataDir: parsed.data['data-dir'],
    databaseUrl: parsed.data['database-url'],
    logLevel: parsed.data['log-level'],
    takeOver: parsed.data['take-over'],
    mapTtls: mapTtlsOf(parsed.data),
    limits: limitsOf(parsed.data),
    transport: parsed.data.transport,
    tls: tlsFiles(parsed.data['tls-key'], parsed.data['tls-cert']),
    processors: parsed.data.processors,
    allowOrigin: parsed.data['allow-origin'],
    auth: authConfigOf(parsed.data, { secret, host: parsed.data.host }),
    isSecretIgnored: secret !== undefined && parsed.data.auth === 'none',
  };
}

function whole(min: number, max: number): z.ZodCoercedNumber {
  const message = `is a whole number, ${min} to ${max}`;
  return z.coerce.number(message).int(message).min(min, message).max(max, message);
}

function oneOf<const Name extends string>(
  names: readonly Name[],
): z.ZodEnum<{ [name in Name]: name }> {
  return z.enum(names, `is ${names.slice(0, -1).join(', ')} or ${names.at(-1)}`);
}

/** The next one; any free one beside any free one. */
function portBeside(port: number): number {
  return port === 0 || port === 65_535 ? 0 : port + 1;
}

/** A flag goes before the file, map by map. */
function mapTtlsOf(settings: z.infer<typeof ConfigSchema>): ReadonlyMap<string, number> {
  const inFile = Object.entries(settings.maps).map(([map, { ttl }]) => [map, ttl] as const);
  return new Map([...inFile, ...settings['map-ttl']]);
}

function tlsFiles(key: string | undefined, certificate: string | undefined): TlsFiles | undefined {
  if (key !== undefined && certificate !== undefined) return { key, certificate };
  if (key === undefined && certificate === undefined) return undefined;
  throw new ConfigError('--tls-key and --tls-cert go together: give both or neither.');
}

/** As browsers name it: no path, no default port; `null` for pages that have none. */
function isOrigin(text: string): boolean {
  return text === '*' || text === 'null' || (URL.canParse(text) && new URL(text).origin === text);
}

export function helpText(): string {
  const lines = Object.entries(SETTINGS).map(([name, { value, help }]) => {
    const flag = value === undefined ? `--${name}` : `--${name} ${value}`;
    return `  ${flag.padEnd(22)} ${help}`;
  });
  return [
    'Usage: pnpm start [flags]',
    '',
    ...lines,
    '',
    'Limits; all but the first five are of one connection:',
    ...limitHelp(),
    '',
    'Every flag can be given as TIDEWIRE_<NAME> too (TIDEWIRE_DATA_DIR, …), the database as DATABASE_URL.',
    'A secret by which tokens are signed is given as TIDEWIRE_AUTH_SECRET alone.',
  ].join('\n');
}

function readFlags(args: readonly string[]): Record<string, unknown> {
  const options = Object.fromEntries(
    Object.entries(SETTINGS).map(([name, { value }]) => [
      name,
      {
        type: value === undefined ? ('boolean' as const) : ('string' as const),
        multiple: name === 'map-ttl' || name === 'limit',
      },
    ]),
  );
  try {
    return { ...parseArgs({ args: [...args], options, strict: true }).values };
  } catch (error) {
    throw new ConfigError(`${(error as Error).message.split(/\.\s/)[0]}; --help lists the flags.`);
  }
}

function readEnvironment(
  environment: Readonly<Record<string, string | undefined>>,
): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  if (environment['DATABASE_URL']) settings['database-url'] = environment['DATABASE_URL'];
  if (environment['LOG_LEVEL']) settings['log-level'] = environment['LOG_LEVEL'];
  for (const name of Object.keys(ConfigSchema.shape)) {
    const value = environment[`TIDEWIRE_${name.replaceAll('-', '_').toUpperCase()}`];
    if (value) settings[name] = value;
  }
  return settings;
}

function readConfigFile(path: string): Record<string, unknown> {
  try {
    const settings: unknown = JSON.parse(readFileSync(path, 'utf8'));
    if (typeof settings === 'object' && settings !== null && !Array.isArray(settings))
      return settings as Record<string, unknown>;
  } catch (error) {
    throw new ConfigError(`The config file ${path} cannot be read: ${(error as Error).message}.`);
  }
  throw new ConfigError(`The config file ${path} is a JSON object of settings.`);
}

function describe(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue.code === 'unrecognized_keys')
    return `There is no setting "${issue.keys[0]}"; --help lists them.`;
  const isFlag = issue.path.length === 1;
  return `${isFlag ? '--' : ''}${issue.path.join('.')} ${issue.message}.`;
}
