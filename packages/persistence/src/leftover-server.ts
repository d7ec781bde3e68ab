import { execFile } from 'node:child_process';
import { mkdtemp, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

const OWNER_FILE = 'tidewire-owner';
const CLUSTER = 'cluster';
const PID_FILE = `${CLUSTER}/postmaster.pid`;
const SOCKET_DIR_LINE = 4; // Postgres manual, "postmaster.pid"
const SOCKET_DIR_PREFIX = 'tidewire-pg-';
const SOCKET_PATH_BYTES_MAX = 107;
const POLL_MS = 20;
const STOP_MS = 10_000;
/** A killed owner needs a moment to give its memory back. */
const OWNER_END_MS = 3000;
const ZOMBIE = 'Z';
/** The cluster in the command line of a Postgres of ours, as /proc or `ps` tells it. */
const CLUSTER_FLAG = /postgres[\0 ]-D[\0 ](.+?)[\0 ]-c[\0 ]/;

/** A folder for the socket of one server, short enough for the limit on its path. */
export async function makeSocketDir(socketName: string): Promise<string> {
  const longest = join(tmpdir(), `${SOCKET_DIR_PREFIX}XXXXXX`, socketName);
  const parent = Buffer.byteLength(longest) > SOCKET_PATH_BYTES_MAX ? '/tmp' : tmpdir();
  return await mkdtemp(join(parent, SOCKET_DIR_PREFIX));
}

/** Where a server that runs on this data folder has its socket. */
export async function socketDirOf(dataDir: string): Promise<string | undefined> {
  const lines = (await textOf(join(dataDir, PID_FILE))).split('\n');
  const pid = Number.parseInt(lines[0], 10);
  if (Number.isNaN(pid) || !isAlive(pid) || !(await serves(pid, join(dataDir, CLUSTER)))) return;
  return lines[SOCKET_DIR_LINE];
}

/** Notes in the data folder that this process uses it. */
export async function ownFolder(dataDir: string): Promise<void> {
  const owner = `${process.pid} ${await startOf(process.pid)}\n`;
  await writeFile(join(dataDir, OWNER_FILE), owner, { mode: 0o600 });
}

export async function disownFolder(dataDir: string): Promise<void> {
  await rm(join(dataDir, OWNER_FILE), { force: true });
}

/**
 * Ends a server that a killed process left behind on this data folder.
 * Rejects if the process that started it lives.
 */
export async function stopLeftover(dataDir: string): Promise<void> {
  const lines = (await textOf(join(dataDir, PID_FILE))).split('\n');
  const pid = Number.parseInt(lines[0], 10);
  const socketDir = lines[SOCKET_DIR_LINE] ?? '';
  if (Number.isNaN(pid) || !isAlive(pid)) return;
  if (!(await serves(pid, join(dataDir, CLUSTER)))) {
    await rm(join(dataDir, PID_FILE)); // the number now belongs to another program or database
    return;
  }
  await requireDeadOwner(dataDir);
  if (!(await end(pid, 'SIGINT')) && !(await end(pid, 'SIGQUIT')))
    throw new Error(`A database left behind on ${dataDir} (process ${pid}) does not end.`);
  if (basename(socketDir).startsWith(SOCKET_DIR_PREFIX))
    await rm(socketDir, { recursive: true, force: true });
}

/** True if the process is a Postgres on this cluster. */
async function serves(pid: number, cluster: string): Promise<boolean> {
  const named = CLUSTER_FLAG.exec(await commandOf(pid))?.[1];
  return named !== undefined && (await placeOf(named)) === (await placeOf(cluster));
}

async function placeOf(path: string): Promise<string> {
  return await realpath(path).catch(() => path);
}

async function requireDeadOwner(dataDir: string): Promise<void> {
  const [pidText, start] = (await textOf(join(dataDir, OWNER_FILE))).trim().split(' ');
  const pid = Number(pidText);
  if (pid === process.pid || !(pid > 0)) return;
  for (let waited = 0; waited < OWNER_END_MS; waited += POLL_MS) {
    if (!isAlive(pid) || (await startOf(pid)) !== (start ?? '')) return;
    if ((await stateOf(pid)) === ZOMBIE) return;
    await delay(POLL_MS);
  }
  throw new Error(`Another Tidewire (process ${pid}) uses the data folder ${dataDir}.`);
}

async function end(pid: number, signal: NodeJS.Signals): Promise<boolean> {
  process.kill(pid, signal);
  for (let waited = 0; waited < STOP_MS; waited += POLL_MS) {
    if (!isAlive(pid)) return true;
    await delay(POLL_MS);
  }
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** When a process began, in ticks since the machine did; empty where there is no /proc. */
async function startOf(pid: number): Promise<string> {
  return (await statOf(pid))[19] ?? '';
}

/** Its state as one letter, as in proc(5); empty where there is no /proc. */
async function stateOf(pid: number): Promise<string> {
  return (await statOf(pid))[0] ?? '';
}

/** The fields of /proc/<pid>/stat behind the program's name. */
async function statOf(pid: number): Promise<string[]> {
  const stat = await textOf(`/proc/${pid}/stat`);
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

async function commandOf(pid: number): Promise<string> {
  const command = await textOf(`/proc/${pid}/cmdline`);
  if (command !== '') return command;
  return await run('ps', ['-o', 'command=', '-p', String(pid)]).then(
    (result) => result.stdout,
    () => '',
  );
}

async function textOf(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch(() => '');
}
