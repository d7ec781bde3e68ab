import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { closeCodeOf } from '@tidewire/core';
import { startEmbedded } from '@tidewire/persistence';
import { Code, Level } from '@tidewire/schemas';
import postgres from 'postgres';
import t from 'tap';
import { get, put, SAFE, textOf } from './operations.js';
import { RawClient } from './raw-client.js';
import { makeFolder, RunningServer } from './running-server.js';

const ONE_SENTENCE = /^tidewire: [^\n]+\.$/;

const folder = await makeFolder();
const database = await startEmbedded(join(folder, 'postgres'));
const sql = postgres({ ...database.connection, max: 1 });
t.teardown(async () => {
  await sql.end();
  await database.stop();
  await rm(folder, { recursive: true, force: true });
});
const { host, user } = database.connection;
const env = { PGHOST: host, PGUSER: user, DATABASE_URL: 'postgres:///postgres' };

t.test('RUN-1: a second server on one database is refused; the first goes on', async (t) => {
  const first = await RunningServer.start(t, { env });
  const client = await connected(t, first, 1);
  const second = await RunningServer.launch(t, { env });
  const end = await second.end;
  t.match(end, { code: 1, sentence: ONE_SENTENCE });
  t.match(end.sentence, '--take-over');
  const [result] = await client.operate(put('m', 'k', '1', SAFE));
  t.match(result, { outcome: Code.APPLIED, level: Level.DATABASE });
  t.match(await first.stop(), { code: 0 });
});

t.test(
  'RUN-2: with --take-over the first stops with FENCED and overwrites nothing newer',
  async (t) => {
    const first = await RunningServer.start(t, { env });
    const writer = await connected(t, first, 1);
    await writer.operate(put('m', 'both', '"first"', SAFE), put('m', 'kept', '"kept"', SAFE));
    const second = await RunningServer.start(t, { env, args: ['--take-over'] });
    const heir = await connected(t, second, 2);
    t.ok(heir.epoch > writer.epoch);
    const [kept, written] = await heir.operate(
      get('m', 'kept'),
      put('m', 'both', '"second"', SAFE),
    );
    t.equal(textOf(kept.value), '"kept"', 'what the first had promised is there');
    t.match(written, { outcome: Code.APPLIED, level: Level.DATABASE });
    const late = writer.operate(put('m', 'both', '"late"', SAFE));
    const end = await first.end;
    t.match(end, { code: 1, sentence: ONE_SENTENCE });
    t.match(end.sentence, 'taken this database over');
    t.match(await writer.closed, { code: closeCodeOf(Code.FENCED) });
    t.match(writer.errors.at(-1), { code: Code.FENCED });
    const answer = await Promise.race([late, writer.closed]);
    t.ok('code' in answer || answer[0].level !== Level.DATABASE, 'it promised nothing any more');
    const [row] = await sql`SELECT value FROM tidewire.record WHERE map = 'm' AND key = 'both'`;
    t.equal(textOf(row['value']), '"second"');
  },
);

t.test('RUN-3: a second server on one data folder is refused, and the first goes on', async (t) => {
  const first = await RunningServer.start(t);
  const second = await RunningServer.launch(t, { dataDir: first.dataDir });
  t.match(await second.end, { code: 1, sentence: ONE_SENTENCE });
  const client = await connected(t, first, 1);
  const [result] = await client.operate(put('m', 'k', '1', SAFE));
  t.match(result, { level: Level.DATABASE });
});

async function connected(
  t: { teardown: (action: () => void) => unknown },
  server: RunningServer,
  node: number,
): Promise<RawClient> {
  const client = await RawClient.connect(server.url, node);
  t.teardown(() => client.close());
  return client;
}
