import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { promisify } from 'node:util';

const run = promisify(execFile);
const require = createRequire(import.meta.url);

/** Where and of what a figure was measured. */
export interface Environment {
  /** Of this repository; `+` behind it: with changes that are not committed. */
  readonly commit: string;
  readonly cpu: string;
  readonly cores: number;
  readonly node: string;
  readonly platform: string;
  /** Versions of the peers; null: not installed. */
  readonly peers: Readonly<Record<string, string | null>>;
}

export async function readEnvironment(): Promise<Environment> {
  const redis = await firstLine('redis-server', ['--version']);
  const nats = await firstLine('nats-server', ['--version']);
  return {
    commit: await commit(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    platform: `${process.platform}-${process.arch}`,
    peers: {
      redis: redis === null ? null : (/v=(\S+)/.exec(redis)?.[1] ?? redis),
      nats: nats === null ? null : (/ v(\S+)/.exec(nats)?.[1] ?? nats),
      'uWebSockets.js': packageVersion('uWebSockets.js'),
    },
  };
}

async function commit(): Promise<string> {
  const head = await firstLine('git', ['rev-parse', '--short=12', 'HEAD']);
  if (head === null) return 'unknown';
  const changes = await firstLine('git', ['status', '--porcelain', '--untracked-files=no']);
  return changes === null || changes === '' ? head : `${head}+`;
}

async function firstLine(command: string, words: string[]): Promise<string | null> {
  try {
    return (await run(command, words)).stdout.split('\n')[0].trim();
  } catch {
    return null; // not installed
  }
}

function packageVersion(name: string): string | null {
  try {
    const file = require.resolve(`${name}/package.json`);
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
  } catch {
    return null;
  }
}
