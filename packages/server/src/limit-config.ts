import { DEFAULT_LIMITS, type GatewayLimits, LIMIT_RANGES } from '@tidewire/gateway';
import { ConfigError } from './config-error.js';

type LimitName = keyof GatewayLimits;

/** By the names that operators use, as connections-per-address. */
const LIMITS: ReadonlyMap<string, LimitName> = new Map(
  Object.keys(LIMIT_RANGES).map((name) => [kebab(name), name as LimitName]),
);

/** Settings as they were given: `limit` by flag or environment, `limits` in the file. */
interface LimitSettings {
  /** Each as in-flight=100. */
  readonly limit: readonly string[];
  readonly limits: Readonly<Record<string, unknown>>;
}

/** A flag goes before the file, limit by limit. @throws ConfigError */
export function limitsOf({ limit, limits }: LimitSettings): GatewayLimits {
  const inFile = Object.entries(limits).map(([name, value]) => checked(name, value));
  const given = limit.map((text) => {
    const [name, value] = text.split('=', 2);
    return checked(name.trim(), value === undefined || value.trim() === '' ? text : Number(value));
  });
  return { ...DEFAULT_LIMITS, ...Object.fromEntries([...inFile, ...given]) };
}

/** A line of help for each. */
export function limitHelp(): string[] {
  return [...LIMITS].map(([name, limit]) => {
    const { help, default: standard } = LIMIT_RANGES[limit];
    return `  ${name.padEnd(24)} ${help} (${standard === 0 ? 'no bound' : `default ${standard}`})`;
  });
}

function checked(name: string, value: unknown): [LimitName, number] {
  const limit = LIMITS.get(name);
  if (limit === undefined)
    throw new ConfigError(`--limit: there is no "${name}", but ${[...LIMITS.keys()].join(', ')}.`);
  const { min, max } = LIMIT_RANGES[limit];
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max)
    return [limit, value];
  throw new ConfigError(`--limit ${name}=N: a whole number from ${min} to ${max}.`);
}

function kebab(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}
