import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { descendantsOf, residentBytesOf } from './measure/process-cpu.js';
import { stopChild, waitForLine } from './peers/child-server.js';
import { freePort } from './peers/free-port.js';

const ENTRY: string = fileURLToPath(new URL('../../packages/server/dist/main.js', import.meta.url));
const READY = /tidewire ready ws:\/\/127\.0\.0\.1:(\d+)/;
const START_MS = 60_000;
const STOP_MS = 30_000;

// Lines of Postgres's postmaster.pid.
const PID_FILE_PORT = 3;
const PID_FILE_SOCKET_FOLDER = 4;

/** What `/info` tells, as far as it is used here. */
export interface ServerInfo {
  readonly records: number;
  /** Memory of the stores in use. */
  readonly bytes: number;
  readonly connections: number;
  /** Records that the database does not have yet. */
  readonly dirty: number;
  /** For how long something has been dirty. */
  readonly flushLagMs: number;
}

/** Of `/readyz`. */
export interface Readiness {
  readonly status: 'starting' | 'recovering' | 'ready' | 'stopping';
  readonly recovered: number;
}

/** A connection of the driver that the server itself uses. */
export type Database = postgres.Sql;

/** Tidewire as a user starts it: its own process, its own database, a data folder of its own. */
export class TidewireServer {
  readonly port: number;
  readonly #launch: Launch;
  #child: ChildProcess;

  private constructor(child: ChildProcess, port: number, launch: Launch) {
    this.#child = child;
    this.port = port;
    this.#launch = launch;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /**
   * `flags`: as for `start`, beside the port and the data folder. `preload`: a module that the
   * server's process runs first, to look at it or to slow it down.
   */
  static async start(flags: readonly string[] = [], preload?: URL): Promise<TidewireServer> {
    const [port, adminPort] = [await freePort(), await freePort()];
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-perf-'));
    await chmod(folder, 0o711); // the database's account must pass through
    const launch = { folder, flags, preload, adminPort };
    const child = spawnServer(port, launch);
    try {
      await waitForLine(child, READY, START_MS);
    } catch (error) {
      await stopChild(child, STOP_MS);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return new TidewireServer(child, port, launch);
  }

  /** Stops it in order and starts it again on the same data; resolves once it is spawned. */
  async respawn(): Promise<void> {
    const code = await stopChild(this.#child, STOP_MS);
    if (code !== 0) throw new Error(`the server ended with ${code}`);
    this.#spawnAgain();
  }

  /**
   * As `respawn`, but ends it by kill -9: what the database does not have is lost. If that was held, it
   * goes on once the server is gone.
   */
  async respawnKilled(): Promise<void> {
    const databases = descendantsOf(this.pid);
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
    for (const pid of databases) signal(pid, 'SIGCONT');
    this.#spawnAgain();
  }

  #spawnAgain(): void {
    this.#child = spawnServer(this.port, this.#launch);
    this.#child.stdout?.resume();
    this.#child.stderr?.resume();
  }

  /** Undefined while nobody listens yet. Throws if the server has ended. */
  async readiness(): Promise<Readiness | undefined> {
    if (this.#child.exitCode !== null) throw new Error('the server ended while it started');
    try {
      const response = await fetch(`http://127.0.0.1:${this.port}/readyz`);
      return (await response.json()) as Readiness;
    } catch {
      return undefined;
    }
  }

  async info(): Promise<ServerInfo> {
    const response = await fetch(`http://127.0.0.1:${this.#launch.adminPort}/info`);
    return (await response.json()) as ServerInfo;
  }

  /** A connection to its database beside the server; end it after use. */
  async openDatabase(): Promise<Database> {
    const [database] = descendantsOf(this.pid);
    const folder = await readlink(`/proc/${database}/cwd`); // Postgres works in its data folder
    const lines = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n');
    return postgres({
      host: lines[PID_FILE_SOCKET_FOLDER],
      port: Number(lines[PID_FILE_PORT]),
      user: 'tidewire',
      database: 'postgres',
      max: 1,
      onnotice: () => {},
    });
  }

  /** Rows of the table, asked of its database without the server. */
  async countRows(): Promise<number> {
    const sql = await this.openDatabase();
    try {
      const [row] = await sql<{ count: string }[]>`SELECT count(*) FROM tidewire.record`;
      return Number(row.count);
    } finally {
      await sql.end();
    }
  }

  /** Holds the database's processes still, so that nothing is written behind. */
  holdDatabase(): void {
    for (const pid of descendantsOf(this.pid)) signal(pid, 'SIGSTOP');
  }

  releaseDatabase(): void {
    for (const pid of descendantsOf(this.pid)) signal(pid, 'SIGCONT');
  }

  /** Resident memory of its process, in bytes. */
  residentBytes(): number {
    return residentBytesOf(this.pid);
  }

  /** Ends it without a flush: what is in memory alone is of no more use. */
  async discard(): Promise<void> {
    const databases = descendantsOf(this.pid);
    this.#child.kill('SIGKILL');
    for (const pid of databases) signal(pid, 'SIGKILL');
    await stopChild(this.#child, STOP_MS);
    await rm(this.#launch.folder, {
      recursive: true,
      force: true,
      maxRetries: 10,
      retryDelay: 100,
    });
  }

  /** Stops it as an operator would. Throws if it did not flush everything. */
  async stop(): Promise<void> {
    this.releaseDatabase();
    const code = await stopChild(this.#child, STOP_MS);
    await rm(this.#launch.folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code}`);
  }
}

interface Launch {
  readonly folder: string;
  readonly flags: readonly string[];
  readonly preload: URL | undefined;
  readonly adminPort: number;
}

function spawnServer(port: number, { folder, flags, preload, adminPort }: Launch): ChildProcess {
  const first = preload === undefined ? [] : ['--import', preload.href];
  const words = [
    ...first,
    ENTRY,
    '--port',
    String(port),
    '--admin-port',
    String(adminPort),
    '--data-dir',
    join(folder, 'data'),
    ...flags,
  ];
  return spawn(process.execPath, words);
}

/** A process of the database may end at any time. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
