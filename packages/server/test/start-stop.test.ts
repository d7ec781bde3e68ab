import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, open, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startEmbedded } from '@tidewire/persistence';
import { Level } from '@tidewire/schemas';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { put, SAFE } from './operations.js';
import { RawClient } from './raw-client.js';
import { makeFolder, RunningServer } from './running-server.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const POLL_MS = 10;
/** More than a recovery ring and the smallest memory hold. */
const BIG_RECORDS = 1200;
const BIG_VALUE = `"${'x'.repeat(30_000)}"`;

const folder = await makeFolder();
const database = await startEmbedded(join(folder, 'postgres'), { fsync: 'off' });
const sql = postgres({ ...database.connection, max: 1, onnotice: () => {} });
t.teardown(async () => {
  await sql.end();
  await database.stop();
  await rm(folder, { recursive: true, force: true });
});
const { host, user } = database.connection;
const env = { PGHOST: host, PGUSER: user, DATABASE_URL: 'postgres:///postgres' };

/**
 * A start that is held behind its recovery: its first clock bound goes into a pipe that nobody
 * reads yet.
 */
class HeldStart {
  readonly #http: string;
  readonly #pipe: string;
  readonly #child: ReturnType<typeof spawn>;
  readonly end: Promise<{ code: number | null; out: string; error: string }>;

  private constructor(dataDir: string, port: number) {
    this.#http = `http://127.0.0.1:${port}`;
    this.#pipe = join(dataDir, 'clock-bound.new');
    execFileSync('mkfifo', [this.#pipe]);
    const flags = ['--port', String(port), '--data-dir', dataDir, '--memory', '64M'];
    const child = spawn(process.execPath, [MAIN, ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], LOG_LEVEL: 'error', ...env },
    });
    const texts = { out: '', error: '' };
    child.stdout.on('data', (text) => {
      texts.out += text;
    });
    child.stderr.on('data', (text) => {
      texts.error += text;
    });
    this.end = once(child, 'close').then(([code]) => ({ code, ...texts }));
    this.#child = child;
  }

  static async launch(t: Test): Promise<HeldStart> {
    const dataDir = await makeFolder();
    const start = new HeldStart(dataDir, await freePort());
    t.teardown(async () => {
      start.#child.kill('SIGKILL');
      await start.end;
      await rm(dataDir, { recursive: true, force: true });
    });
    return start;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Resolves once status and database are so, undefined: once it listens no more. */
  async until(status: string | undefined): Promise<void> {
    while ((await this.#status()) !== status) await delay(POLL_MS);
  }

  /** Resolves with its end, now that the clock bound can be written. */
  async release(): Promise<Awaited<HeldStart['end']>> {
    const pipe = await open(this.#pipe, 'r+');
    const end = await this.end;
    await pipe.close();
    return end;
  }

  async #status(): Promise<string | undefined> {
    return await fetch(`${this.#http}/readyz`).then(
      async (answer) => {
        const { status, database } = (await answer.json()) as Record<string, string>;
        return `${status} ${database}`;
      },
      () => undefined,
    );
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

t.test('RUN-30: records that do not fit --memory are one sentence and exit 1', async (t) => {
  const first = await RunningServer.start(t);
  const client = await RawClient.connect(first.url);
  for (let i = 0; i < BIG_RECORDS; i += 2)
    await client.operate(
      ...Array.from({ length: 2 }, (_, at) => put('big', `k${i + at}`, BIG_VALUE)),
    );
  t.match(await first.stop(), { code: 0 });
  const { dataDir } = first;
  const args = ['--memory', '16M', '--workers', '1'];
  const second = await RunningServer.launch(t, { dataDir, args });
  t.match(await second.end, { code: 1, sentence: /^tidewire: [^\n]*--memory[^\n]*\.$/ });
});

t.test('RUN-31: told to stop during its start, a server ends in order, never ready', async (t) => {
  const start = await HeldStart.launch(t);
  await start.until('recovering up');
  start.signal('SIGTERM');
  await start.until(undefined);
  t.same(await start.release(), { code: 0, out: '', error: '' });
});

t.test('RUN-32: a failure behind recovery ends the start with its reason', async (t) => {
  const start = await HeldStart.launch(t);
  await start.until('recovering up');
  await sql`UPDATE tidewire.fence SET epoch = epoch + 1`;
  await start.until(undefined);
  const end = await start.release();
  t.match(end, { code: 1, out: '', error: /^tidewire: [^\n]*taken this database over\.\n$/ });
});

t.test('RUN-33: a clock bound that cannot be written is one sentence and exit 1', async (t) => {
  const dataDir = await makeFolder();
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  await mkdir(join(dataDir, 'clock-bound.new'));
  const server = await RunningServer.launch(t, { dataDir, env });
  const sentence = /^tidewire: The clock bound cannot be written: [^\n]+\.$/;
  t.match(await server.end, { code: 1, sentence });
});

t.test('RUN-35: a folder for data that is none is one sentence and exit 1', async (t) => {
  const dataDir = join(await makeFolder(), 'file');
  t.teardown(() => rm(dirname(dataDir), { recursive: true, force: true }));
  await writeFile(dataDir, '');
  const server = await RunningServer.launch(t, { dataDir, env });
  t.match(await server.end, { code: 1, sentence: /^tidewire: --data-dir [^\n]+\.$/ });
});

t.test('RUN-36: that the database is opened is told at once', async (t) => {
  const server = await RunningServer.start(t, { env: { ...env, LOG_LEVEL: 'info' } });
  t.match(server.log, 'opening the database');
});

t.test('RUN-34: an embedded database that ends is told of and started again', async (t) => {
  const server = await RunningServer.start(t, { env: { LOG_LEVEL: 'info' } });
  const client = await RawClient.connect(server.url);
  for (const value of ['1', '2']) {
    await server.killDatabase();
    await client.operate(put('m', 'k', value));
    t.match(await client.operate(put('m', 'safe', value, SAFE)), [{ level: Level.DATABASE }]);
  }
  await server.until(({ dirty }) => dirty === 0);
  const messages = [
    'the embedded database has ended and is started again',
    'the embedded database runs again',
  ];
  for (const message of messages) t.equal(server.log.split(message).length - 1, 2, message);
  const sql = await server.sql();
  const rows = await sql`SELECT value::text FROM tidewire.records ORDER BY key`;
  t.same(
    rows.map(({ value }) => value),
    ['2', '2'],
  );
  t.match(await server.stop(), { code: 0 });
});
