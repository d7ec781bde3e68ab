import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Whom the server runs as. Empty: as this process. */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** Where root's server keeps what lies below folders that its account may not enter. */
const SHARED_FOLDER = '/var/lib/tidewire';
const NAMES = ['postgres', 'nobody'];

/** Postgres refuses to run as root; rejects if root finds no other account. */
export async function unprivilegedAccount(): Promise<Account> {
  if (process.getuid?.() !== 0) return {};
  for (const name of NAMES) {
    const uid = await idOf('-u', name);
    const gid = await idOf('-g', name);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new Error(
    'Running as root and found no account postgres or nobody for the embedded database: ' +
      'create one, or name a server with --database-url.',
  );
}

/** `path`, or a place for it that the account can reach: always the same for the same path. */
export async function placeFor(path: string, account: Account): Promise<string> {
  if (account.uid === undefined || (await canEnter(dirname(path), account))) return path;
  return join(SHARED_FOLDER, createHash('sha256').update(path).digest('hex').slice(0, 16));
}

async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  try {
    return Number((await run('id', [flag, name])).stdout);
  } catch {
    return undefined;
  }
}

async function canEnter(folder: string, account: Account): Promise<boolean> {
  const { uid, gid, mode } = await stat(folder);
  const shift = uid === account.uid ? 6 : gid === account.gid ? 3 : 0;
  if (((mode >> shift) & 1) === 0) return false;
  return folder === dirname(folder) || canEnter(dirname(folder), account);
}
