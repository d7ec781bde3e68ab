import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type EmbeddedServer, startEmbedded } from '@tidewire/persistence';
import postgres from 'postgres';
import { OutageProxy } from './outage-proxy.js';
import { makeFolder } from './running-server.js';

const POLL_MS = 10;
const START_ATTEMPTS = 5;
/** A killed process keeps what the kernel has; only a power cut would ask for more. */
const SETTINGS = { fsync: 'off', max_connections: 60 };

/** A Postgres of the test's own behind an `OutageProxy`, to be ended and started at will. */
export class OutageDatabase {
  readonly proxy: OutageProxy;
  readonly #folder: string;
  #server: EmbeddedServer;
  #sql: postgres.Sql | undefined;

  private constructor(folder: string, server: EmbeddedServer, proxy: OutageProxy) {
    this.#folder = folder;
    this.#server = server;
    this.proxy = proxy;
  }

  static async start(t: {
    teardown: (action: () => Promise<void>) => unknown;
  }): Promise<OutageDatabase> {
    const folder = await makeFolder();
    const server = await startEmbedded(join(folder, 'postgres'), SETTINGS);
    const proxy = await OutageProxy.listen(server.connection.host);
    const database = new OutageDatabase(folder, server, proxy);
    t.teardown(() => database.#destroy());
    return database;
  }

  /** Through the proxy. */
  get url(): string {
    const { user, database } = this.#server.connection;
    return `postgres://${user}@127.0.0.1:${this.proxy.port}/${database}`;
  }

  /** A client beside the proxy. */
  sql(): postgres.Sql {
    this.#sql ??= postgres({ ...this.#server.connection, max: 1, onnotice: () => {} });
    return this.#sql;
  }

  /** Ends the connections of Tidewire, whatever they do. Resolves with their number. */
  async terminateBackends(): Promise<number> {
    const ended = await this.sql()`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'tidewire'`;
    return ended.length;
  }

  /** In order, as by an operator. */
  async stop(): Promise<void> {
    await this.#leave();
    await this.#server.stop();
  }

  /** As by the kernel when memory is short: no process of it says goodbye. */
  async kill(): Promise<void> {
    await this.#leave();
    const file = join(this.#server.dataDir, 'cluster/postmaster.pid');
    process.kill(Number.parseInt(await readFile(file, 'utf8'), 10), 'SIGKILL');
    await this.#server.ended;
  }

  /** After `stop` or `kill`. */
  async restart(): Promise<void> {
    for (let attempt = 1; ; attempt++)
      try {
        this.#server = await startEmbedded(join(this.#folder, 'postgres'), SETTINGS);
        break;
      } catch (error) {
        // The orphans of a killed server need a moment to find out.
        if (attempt === START_ATTEMPTS) throw error;
        await delay(POLL_MS);
      }
    this.proxy.lead(this.#server.connection.host);
  }

  async #destroy(): Promise<void> {
    await this.proxy.close();
    await this.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #leave(): Promise<void> {
    await this.#sql?.end({ timeout: 0 });
    this.#sql = undefined;
  }
}
