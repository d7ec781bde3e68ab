import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { setPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedServer, startEmbedded } from '@tidewire/persistence';
import postgres from 'postgres';
import { POSTGRES_DATABASE, POSTGRES_TABLE, POSTGRES_USER } from '../load/postgres-dialect.js';
import { descendantsOf } from '../measure/process-cpu.js';
import { freePort } from './free-port.js';

/** A plain Postgres, the build that Tidewire carries, on TCP and with its durable defaults. */
export class PostgresServer {
  readonly port: number;
  readonly pid: number;
  readonly #server: EmbeddedServer;
  readonly #folder: string;

  private constructor(server: EmbeddedServer, pid: number, port: number, folder: string) {
    this.port = port;
    this.pid = pid;
    this.#server = server;
    this.#folder = folder;
  }

  /** Also makes the table that is written to. */
  static async start(): Promise<PostgresServer> {
    const port = await freePort();
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-perf-postgres-'));
    await chmod(folder, 0o711); // the database's account must pass through
    const access = join(folder, 'pg_hba.conf');
    await writeFile(access, 'local all all trust\nhost all all 127.0.0.1/32 trust\n');
    const before = new Set(descendantsOf(process.pid));
    const settings = { listen_addresses: '127.0.0.1', port, hba_file: access };
    const server = await startEmbedded(join(folder, 'data'), settings);
    const pid = descendantsOf(process.pid).find((child) => !before.has(child)) ?? 0;
    await setPriorities(pid);
    const started = new PostgresServer(server, pid, port, folder);
    await started.#run(
      `CREATE TABLE ${POSTGRES_TABLE} (key text PRIMARY KEY, value text NOT NULL)`,
    );
    return started;
  }

  async countKeys(): Promise<number> {
    const [row] = await this.#run(`SELECT count(*) FROM ${POSTGRES_TABLE}`);
    return Number(row['count']);
  }

  async stop(): Promise<void> {
    await this.#server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #run(statement: string): Promise<readonly Record<string, unknown>[]> {
    const sql = postgres({
      host: '127.0.0.1',
      port: this.port,
      user: POSTGRES_USER,
      database: POSTGRES_DATABASE,
      max: 1,
    });
    try {
      return await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  }
}

/** Tidewire starts its database below normal priority; here it is the server that clients wait for. */
async function setPriorities(pid: number): Promise<void> {
  for (const process of [pid, ...descendantsOf(pid)]) setPriority(process, 0);
}
