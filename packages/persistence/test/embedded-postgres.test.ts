import { spawn } from 'node:child_process';
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type EmbeddedServer, startEmbedded } from '#lib/embedded-postgres.js';
import { stopLeftover } from '#lib/leftover-server.js';
import { PostgresStore } from '#lib/postgres-store.js';

const isRoot = process.getuid?.() === 0;
const SETTINGS = { fsync: 'off' };

async function temporaryFolder(test: Test): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'));
  await chmod(folder, 0o755);
  test.teardown(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

async function epochOf(server: EmbeddedServer): Promise<number> {
  const store = new PostgresStore(server.connection);
  const { epoch } = await store.open({ takeOver: false });
  await store.close();
  return epoch;
}

t.test('PG-1: data outlive a stop, and the socket folder does not', async (t) => {
  const folder = await temporaryFolder(t);
  const first = await startEmbedded(join(folder, 'pg'), SETTINGS);
  t.equal(await epochOf(first), 1);
  await first.stop();
  await t.rejects(stat(first.connection.host), { code: 'ENOENT' });
  const second = await startEmbedded(join(folder, 'pg'), SETTINGS);
  t.teardown(() => second.stop());
  t.equal(await epochOf(second), 2);
});

t.test('PG-2: a server left behind by a killed process is stopped first', async (t) => {
  const folder = await temporaryFolder(t);
  const dataDir = join(folder, 'pg');
  const module = new URL('../dist/embedded-postgres.js', import.meta.url).href;
  const script = `
    const { startEmbedded } = await import(${JSON.stringify(module)});
    const server = await startEmbedded(${JSON.stringify(dataDir)}, { fsync: 'off' });
    console.log(server.dataDir);`;
  const other = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((settle) => other.stdout.once('data', settle));
  const leftover = Number.parseInt(
    await readFile(join(dataDir, 'cluster/postmaster.pid'), 'utf8'),
    10,
  );
  await t.rejects(startEmbedded(dataDir, SETTINGS), { message: /Another Tidewire/ });
  other.kill('SIGKILL');
  await new Promise((settle) => other.once('exit', settle));
  t.ok(process.kill(leftover, 0), 'the server outlives its starter');
  const server = await startEmbedded(dataDir, SETTINGS);
  t.teardown(() => server.stop());
  t.throws(() => process.kill(leftover, 0), { code: 'ESRCH' });
  t.equal(await epochOf(server), 1);
});

t.test('PG-10: a number that now belongs to another Postgres is left alone', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'cluster/postmaster.pid');
  await mkdir(join(folder, 'cluster'));
  const script = 'process.stdout.write("up"); setInterval(() => {}, 1000)';
  const flags = ['postgres', '-D', `${folder}/elsewhere/cluster`, '-c', 'port=1'];
  const other = spawn(process.execPath, ['-e', script, ...flags], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => other.kill('SIGKILL'));
  await new Promise((settle) => other.stdout.once('data', settle));
  await writeFile(file, `${other.pid}\n`);
  await stopLeftover(folder);
  t.ok(process.kill(Number(other.pid), 0), 'it lives');
  t.equal(other.signalCode, null);
  await t.rejects(stat(file), { code: 'ENOENT' });
});

t.test('PG-3: root keeps the data where the server may enter', { skip: !isRoot }, async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(join(folder, 'closed'), { mode: 0o700 });
  const server = await startEmbedded(join(folder, 'closed/pg'), SETTINGS);
  t.teardown(async () => {
    await server.stop();
    await rm(server.dataDir, { recursive: true, force: true });
  });
  t.not(server.dataDir, join(folder, 'closed/pg'));
  t.equal(await epochOf(server), 1);
});

t.test('PG-4: a start that fails says why', async (t) => {
  const folder = await temporaryFolder(t);
  const failed = startEmbedded(join(folder, 'pg'), { ...SETTINGS, shared_buffers: 'much' });
  await t.rejects(failed, { message: /shared_buffers/ });
});
