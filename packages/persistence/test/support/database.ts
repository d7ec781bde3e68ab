import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { Test } from 'tap';
import { type EmbeddedServer, startEmbedded } from '#lib/embedded-postgres.js';
import type { DatabaseConnection } from '#lib/postgres-link.js';

type Location = DatabaseConnection & { host: string };

/** One server for a test file; hands out empty databases. */
export class TestServer {
  readonly server: EmbeddedServer;
  readonly #folder: string;
  readonly #clients: postgres.Sql[] = [];
  #databases = 0;

  private constructor(server: EmbeddedServer, folder: string) {
    this.server = server;
    this.#folder = folder;
  }

  static async start(t: { teardown: Test['teardown'] }): Promise<TestServer> {
    const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'));
    await chmod(folder, 0o755);
    const settings = { fsync: 'off', max_connections: 60 };
    const test = new TestServer(await startEmbedded(join(folder, 'pg'), settings), folder);
    t.teardown(() => test.#stop());
    return test;
  }

  async freshDatabase(): Promise<Location> {
    const database = `test_${++this.#databases}`;
    await this.sql(this.server.connection).unsafe(`CREATE DATABASE ${database}`);
    return { ...this.server.connection, database };
  }

  /** A plain client, ended with the server. */
  sql(connection: Location): postgres.Sql {
    const client = postgres({ ...connection, max: 1, onnotice: () => {} });
    this.#clients.push(client);
    return client;
  }

  async #stop(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end({ timeout: 0 })));
    await this.server.stop();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
