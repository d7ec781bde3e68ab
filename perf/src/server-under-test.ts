import { type ChildProcess, spawn } from 'node:child_process';
import { chmod, mkdtemp, readFile, readlink, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { descendantsOf } from './measure/process-cpu.js';
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
  /** Records that the database does not have yet. */
  readonly dirty: number;
  /** For how long something has been dirty. */
  readonly flushLagMs: number;
}

/** Tidewire as a user starts it: its own process, its own database, a data folder of its own. */
export class TidewireServer {
  readonly port: number;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #folder: string;

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#child = child;
    this.port = port;
    this.pid = child.pid ?? 0;
    this.#folder = folder;
  }

  /** `flags`: as for `start`, beside the port and the data folder. */
  static async start(flags: readonly string[] = []): Promise<TidewireServer> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-perf-'));
    await chmod(folder, 0o711); // the database's account must pass through
    const words = [ENTRY, '--port', String(port), '--data-dir', join(folder, 'data'), ...flags];
    const child = spawn(process.execPath, words);
    try {
      await waitForLine(child, READY, START_MS);
    } catch (error) {
      await stopChild(child, STOP_MS);
      await rm(folder, { recursive: true, force: true });
      throw error;
    }
    return new TidewireServer(child, port, folder);
  }

  async info(): Promise<ServerInfo> {
    const response = await fetch(`http://127.0.0.1:${this.port}/info`);
    return (await response.json()) as ServerInfo;
  }

  /** Rows of the table, asked of its database without the server. */
  async countRows(): Promise<number> {
    const [database] = descendantsOf(this.pid);
    const folder = await readlink(`/proc/${database}/cwd`); // Postgres works in its data folder
    const lines = (await readFile(join(folder, 'postmaster.pid'), 'utf8')).split('\n');
    const sql = postgres({
      host: lines[PID_FILE_SOCKET_FOLDER],
      port: Number(lines[PID_FILE_PORT]),
      user: 'tidewire',
      database: 'postgres',
      max: 1,
    });
    try {
      const [row] = await sql<{ count: string }[]>`SELECT count(*) FROM tidewire.record`;
      return Number(row.count);
    } finally {
      await sql.end();
    }
  }

  /** Holds the database's processes still, so that nothing is written behind. */
  holdDatabase(): void {
    for (const pid of descendantsOf(this.pid)) process.kill(pid, 'SIGSTOP');
  }

  releaseDatabase(): void {
    for (const pid of descendantsOf(this.pid)) process.kill(pid, 'SIGCONT');
  }

  /** Stops it as an operator would. Throws if it did not flush everything. */
  async stop(): Promise<void> {
    this.releaseDatabase();
    const code = await stopChild(this.#child, STOP_MS);
    await rm(this.#folder, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code}`);
  }
}
