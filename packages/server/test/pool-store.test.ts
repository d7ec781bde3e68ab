import { execFile } from 'node:child_process';
import { readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PartitionPool, type StoreEvent } from '@tidewire/partition-worker';
import { postgresStore, runningEmbedded } from '@tidewire/persistence';
import postgres from 'postgres';
import t, { type Test } from 'tap';
import { makeFolder } from './running-server.js';

const run = promisify(execFile);
const HOUR_MS = 3_600_000;
const DRIFT_MS = 4000;
/** An index that cannot take a number of 0. */
const REFUSAL = `CREATE INDEX refusal ON tidewire.record
  ((1 / (tidewire.json_of(kind, value) ->> 'n')::int)) WHERE map = 'm'`;

async function folder(t: Test): Promise<string> {
  const dataDir = await makeFolder();
  t.teardown(() => rm(dataDir, { recursive: true, force: true }));
  return dataDir;
}

async function start(
  dataDir: string,
  onStore: (event: StoreEvent) => void = () => {},
): Promise<PartitionPool> {
  return await PartitionPool.start({
    workers: 2,
    memoryBytes: 64 * 1024 * 1024,
    store: postgresStore({ dataDir }),
    onStore,
  });
}

t.test('LIB-10: with a store a pool has after a restart what it had before', async (t) => {
  const dataDir = await folder(t);
  const first = await start(dataDir);
  t.match(await first.put('m', 'safe', 1, { safe: true }), { isDurable: true });
  await first.increment('m', 'n', 41);
  await first.put('m', 'gone', 1);
  await first.remove('m', 'gone');
  t.equal(await first.stop(), 0, 'nothing is left');
  const second = await start(dataDir);
  t.equal((await second.getAll('m', ['safe', 'n', 'gone'])).size, 2);
  t.equal((await second.increment('m', 'n')).value, 42);
  t.equal((await second.get('m', 'safe'))?.value, 1);
  await second.stop();
});

t.test('LIB-14: a start stamps above all that was, though the clock was set back', async (t) => {
  const dataDir = await folder(t);
  const first = await start(dataDir);
  const { stamp } = await first.put('m', 'k', 1, { safe: true });
  const ahead = { ...stamp, ms: stamp.ms + DRIFT_MS };
  await first.process({ kind: 'get', map: 'm', key: 'k', stamp: ahead }); // in no record
  await first.stop();
  const { now } = Date;
  t.teardown(() => Object.assign(Date, { now }));
  Object.assign(Date, { now: () => now() - HOUR_MS });
  const second = await start(dataDir);
  const later = await second.put('m', 'k', 2);
  t.match(later, { outcome: 1 });
  t.ok(later.stamp.ms > ahead.ms, `${later.stamp.ms} after ${ahead.ms}`);
  await second.stop();
});

t.test(
  'LIB-15: a pool hears that its database is away, is back, or refuses a record',
  async (t) => {
    const dataDir = await folder(t);
    const events: StoreEvent[] = [];
    let look = (): void => {};
    const pool = await start(dataDir, (event) => {
      events.push(event);
      look();
    });
    const heard = (kind: StoreEvent['kind']): Promise<void> =>
      new Promise((resolve) => {
        look = () => events.at(-1)?.kind === kind && resolve();
        look();
      });
    await pool.put('m', 'k', { n: 1 }, { safe: true });
    const restore = await takeDatabaseAway(dataDir);
    await heard('down');
    t.match(await pool.put('m', 'k', { n: 2 }), { isDurable: false }, 'FAST goes on');
    await restore();
    await heard('up');
    t.match(await pool.put('m', 'k', { n: 3 }, { safe: true }), { isDurable: true });
    t.match(events[0], { kind: 'down', reason: /./ });
    const { sql } = await clientOf(dataDir);
    await sql.unsafe(REFUSAL);
    await sql.end();
    t.match(await pool.put('m', 'zero', { n: 0 }, { safe: true }), { isDurable: true });
    await heard('buried');
    t.match(events.at(-1), { map: 'm', key: 'zero', code: '22012' });
    t.equal(await pool.stop(), 0);
  },
);

t.test(
  'LIB-16: a pool whose worker is given up ends its process with everything stored',
  async (t) => {
    const dataDir = await folder(t);
    const program = fileURLToPath(new URL('./doomed-pool.js', import.meta.url));
    const env = { ...process.env, DOOM: join(dataDir, 'doom') };
    const ended = run(process.execPath, [program, dataDir], { env });
    const { stdout, stderr } = await ended.then(
      () => t.fail('it ended well') as never,
      (error: { stdout: string; stderr: string }) => error,
    );
    t.match(stderr, /Worker \d keeps dying: The worker is doomed/);
    const pool = await start(dataDir);
    const keys = Array.from({ length: Number(stdout) }, (_, i) => `k${i}`);
    t.ok(keys.length > 0);
    t.equal((await pool.getAll('m', keys)).size, keys.length);
    await pool.stop();
  },
);

/** Ends it, as by a power cut, and lets none start until what it resolves with is called. */
async function takeDatabaseAway(dataDir: string): Promise<() => Promise<void>> {
  const cluster = join(dataDir, 'postgres/cluster');
  const away = `${cluster}-away`;
  await rename(cluster, away);
  const text = await readFile(join(away, 'postmaster.pid'), 'utf8');
  process.kill(Number.parseInt(text, 10), 'SIGQUIT');
  return () => rename(away, cluster);
}

async function clientOf(dataDir: string): Promise<{ sql: postgres.Sql }> {
  const connection = await runningEmbedded(join(dataDir, 'postgres'));
  return { sql: postgres({ ...connection, max: 1, onnotice: () => {} }) };
}
