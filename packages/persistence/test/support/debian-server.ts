import { execFile, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import postgres from 'postgres';
import type { Test } from 'tap';
import { unprivilegedAccount } from '#lib/unprivileged-account.js';

const run = promisify(execFile);
const ROOT = '/usr/lib/postgresql';
const POLL_MS = 20;
const SETTINGS = ['fsync=off', 'listen_addresses=', 'max_connections=60'];

interface Location {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** The programs of Debian's package, of the newest version; undefined where it is not installed. */
export function debianPrograms(): string | undefined {
  const versions = existsSync(ROOT) ? readdirSync(ROOT) : [];
  return versions
    .sort((left, right) => Number(right) - Number(left))
    .map((version) => join(ROOT, version, 'bin'))
    .find((folder) => existsSync(join(folder, 'initdb')));
}

/** A private cluster of Debian's Postgres; hands out empty databases. */
export class DebianServer {
  readonly #location: Location;
  readonly #sql: postgres.Sql;
  #databases = 0;

  private constructor(location: Location) {
    this.#location = location;
    this.#sql = postgres({ ...location, max: 1, onnotice: () => {} });
  }

  static async start(t: { teardown: Test['teardown'] }, programs: string): Promise<DebianServer> {
    const account = await unprivilegedAccount();
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-debian-'));
    if (account.uid !== undefined && account.gid !== undefined)
      await chown(folder, account.uid, account.gid);
    const options = { ...account, cwd: folder, env: { LC_ALL: 'C', PATH: process.env['PATH'] } };
    const cluster = join(folder, 'cluster');
    const flags = ['-U', 'tidewire', '--auth=trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    await run(join(programs, 'initdb'), ['-D', cluster, ...flags], options);
    const settings = [...SETTINGS, `unix_socket_directories=${folder}`];
    const child = spawn(
      join(programs, 'postgres'),
      ['-D', cluster, ...settings.flatMap((setting) => ['-c', setting])],
      { ...options, stdio: 'ignore' },
    );
    const ended = new Promise((resolve) => child.once('exit', resolve));
    const location = { host: folder, port: 5432, user: 'tidewire', database: 'postgres' };
    const server = new DebianServer(location);
    t.teardown(async () => {
      await server.#sql.end({ timeout: 0 });
      child.kill('SIGINT');
      await ended;
      await rm(folder, { recursive: true, force: true });
    });
    while (!(await server.#isReady()) && child.exitCode === null) await delay(POLL_MS);
    return server;
  }

  async version(): Promise<string> {
    const [{ version }] = await this.#sql`SELECT current_setting('server_version') AS version`;
    return String(version);
  }

  async freshDatabase(): Promise<Location> {
    const database = `test_${++this.#databases}`;
    await this.#sql.unsafe(`CREATE DATABASE ${database}`);
    return { ...this.#location, database };
  }

  async #isReady(): Promise<boolean> {
    return await this.#sql`SELECT 1`.then(
      () => true,
      () => false,
    );
  }
}
