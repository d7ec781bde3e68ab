import { Code, Level } from '@tidewire/schemas';
import t from 'tap';
import { ran } from './command-line.js';
import { get, put, SAFE, textOf } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

/** An index that cannot take a number of 0. */
const REFUSAL = `CREATE INDEX refusal ON tidewire.record
  ((1 / (tidewire.json_of(kind, value) ->> 'n')::int)) WHERE map = 'm'`;
const KEYS = 40;
const POISON = 'k17';

const server = await RunningServer.start(t);
const args = ['--data-dir', server.dataDir];

async function letters(): Promise<{ key: string }[]> {
  const { exit, out, error } = await ran(['dead-letters', ...args]);
  if (exit !== 0) throw new Error(error);
  return out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

async function rows(): Promise<Map<string, string>> {
  const sql = await server.sql();
  const found = await sql<{ key: string; value: Uint8Array }[]>`
    SELECT key, value FROM tidewire.record WHERE map = 'm'`;
  return new Map(found.map(({ key, value }) => [key, textOf(value)]));
}

async function readValue(key: string): Promise<string> {
  const client = await RawClient.connect(server.url);
  const [{ value }] = await client.operate(get('m', key));
  client.close();
  return textOf(value);
}

t.test(
  'DEAD-1: a record that the database refuses holds up nobody, and is kept whole',
  async (t) => {
    const client = await RawClient.connect(server.url);
    await client.operate(put('m', POISON, '{"n":5}', SAFE));
    await (await server.sql()).unsafe(REFUSAL);
    const keys = Array.from({ length: KEYS }, (_, i) => `k${i}`);
    const written = await client.operate(
      ...keys.map((key) => put('m', key, key === POISON ? '{"n":0}' : '{"n":7}', SAFE)),
    );
    client.close();
    for (const { outcome, level, refusal } of written)
      t.match(
        { outcome, level, refusal },
        { outcome: Code.APPLIED, level: Level.DATABASE, refusal: 0 },
      );
    const table = await rows();
    t.equal(table.size, KEYS);
    for (const [key, value] of table) t.equal(value, key === POISON ? '{"n":5}' : '{"n":7}');
    t.match(await letters(), [
      { map: 'm', key: POISON, value: { n: 0 }, reason: /division by zero/, stamp: { ms: Number } },
    ]);
    await server.logs(/a record was put aside/);
    t.match(await server.info(), { buried: 1 });
  },
);

t.test('DEAD-6: the log names the SQLSTATE, and nothing that the database said', async (t) => {
  const isOfIt = (line: string): boolean => line.includes('a record was put aside');
  const lines = server.log.split('\n').filter(isOfIt);
  t.match(
    lines.map((line) => JSON.parse(line)),
    [{ map: 'm', sqlstate: '22012' }],
  );
  t.notMatch(server.log, /division/);
});

t.test('DEAD-2: recovery loads it over the older row', async (t) => {
  await server.restart();
  t.equal(await readValue(POISON), '{"n":0}');
  t.equal((await letters()).length, 1);
});

t.test('DEAD-7: a statement that holds the database ends it with a sentence', async (t) => {
  const sql = await server.sql();
  await sql.begin(async (transaction) => {
    await transaction`SELECT 1 FROM tidewire.fence FOR SHARE`;
    const again = await ran(['dead-letters', '--requeue', ...args]);
    t.match(again, { exit: 1, out: '', error: /^tidewire: Statements of the server [^\n]*\n$/ });
  });
  t.equal((await letters()).length, 1);
});

t.test('DEAD-3: written again by hand it is refused as long as its cause stands', async (t) => {
  const again = await ran(['dead-letters', '--requeue', ...args]);
  t.match(again, { exit: 1, out: '', error: /"k17" of map "m" stays: .*division by zero\.\n$/ });
  t.equal((await letters()).length, 1);
  await (await server.sql()).unsafe('DROP INDEX tidewire.refusal');
  const other = await ran(['dead-letters', '--requeue', '--map', 'other', ...args]);
  t.match(other, { exit: 0, error: 'There are no dead letters.\n' });
  const last = await ran(['dead-letters', '--requeue', '--map', 'm', '--key', POISON, ...args]);
  t.match(last, { exit: 0, error: '"k17" of map "m" is in the table.\n' });
  t.same(await letters(), []);
  t.equal((await rows()).get(POISON), '{"n":0}');
  await server.restart();
  t.equal(await readValue(POISON), '{"n":0}');
});

t.test('DEAD-4: one that the table has newer is told as such, and changes nothing', async (t) => {
  const client = await RawClient.connect(server.url);
  await client.operate(put('m', POISON, '{"n":1}', SAFE));
  await (await server.sql()).unsafe(REFUSAL);
  await client.operate(put('m', POISON, '{"n":0, "again":1}', SAFE));
  await client.operate(put('m', POISON, '{"n":9}', SAFE));
  client.close();
  t.match(await letters(), [{ key: POISON, superseded: true }]);
  const again = await ran(['dead-letters', '--requeue', ...args]);
  t.match(again, { exit: 0, error: /is of no use any more/ });
  t.same(await letters(), []);
  t.equal((await rows()).get(POISON), '{"n":9}');
});

t.test('DEAD-5: where no database is to be found, one sentence says so', async (t) => {
  const nowhere = await ran(['dead-letters', '--data-dir', `${server.dataDir}/none`]);
  t.match(nowhere, { exit: 1, error: /^tidewire: No database runs on [^\n]*start the server/ });
  const url = 'postgres://nobody@127.0.0.1:1/none';
  const refused = await ran(['dead-letters', '--database-url', url]);
  t.match(refused, { exit: 1, error: /^tidewire: The database is not available: [^\n]*\n$/ });
});
