import { setTimeout as delay } from 'node:timers/promises';
import { Code, Level } from '@tidewire/schemas';
import t, { type Test } from 'tap';
import { get, put, remove, SAFE, textOf } from './operations.js';
import { OutageDatabase } from './outage-database.js';
import { RawClient } from './raw-client.js';
import { MORTAL, RunningServer } from './running-server.js';

const POLL_MS = 10;
const LOOKS_MAX = 500;
const KEYS = 300;
const AWAY = 'the database is away; writes go on in memory';
const BACK = 'the database is back';

t.jobs = 2;

/** A server on a database of the test's own, behind a proxy. */
interface Site {
  readonly database: OutageDatabase;
  readonly server: RunningServer;
  readonly client: RawClient;
}

t.test(
  'OUTAGE-1, OUTAGE-3: connections cut and refused: FAST goes on, SAFE waits for its deadline',
  { buffered: true },
  async (t) => {
    const site = await siteOf(t);
    await write(site, 'before');
    site.database.proxy.cut();
    await isSaid(t, site, 'down');
    const late = site.client.operate(put('m', 'late', '1', SAFE), remove('m', 'before-1', SAFE));
    await write(site, 'during');
    for (const result of await late)
      t.match(result, {
        outcome: Code.APPLIED,
        refusal: Code.NOT_YET_DURABLE,
        level: Level.MEMORY,
      });
    const soon = site.client.operate(put('m', 'soon', '1', SAFE));
    site.database.proxy.heal();
    t.match(await soon, [{ outcome: Code.APPLIED, refusal: 0, level: Level.DATABASE }]);
    await isWhole(t, site);
    t.same(linesOf(site), [AWAY, BACK]);
  },
);

t.test(
  'OUTAGE-2: a database stopped in order, killed, and started again each time',
  { buffered: true },
  async (t) => {
    const site = await siteOf(t);
    for (const end of ['stop', 'kill'] as const) {
      await write(site, `before ${end}`);
      await site.database[end]();
      await isSaid(t, site, 'down');
      await write(site, `during ${end}`);
      const soon = site.client.operate(put('m', `soon ${end}`, '1', SAFE));
      await site.database.restart();
      t.match(await soon, [{ outcome: Code.APPLIED, refusal: 0, level: Level.DATABASE }]);
      await isWhole(t, site);
    }
    t.same(linesOf(site), [AWAY, BACK, AWAY, BACK]);
  },
);

t.test(
  'OUTAGE-4: connections ended while they flush: everything arrives, nothing twice',
  { buffered: true },
  async (t) => {
    const site = await siteOf(t);
    for (let round = 0; round < 10; round++) {
      const written = write(site, `round ${round}`);
      const safe = site.client.operate(put('m', 'safe', String(round), SAFE));
      await site.database.terminateBackends();
      await written;
      t.match(await safe, [{ outcome: Code.APPLIED, refusal: 0, level: Level.DATABASE }]);
    }
    await isWhole(t, site);
    await isSaid(t, site, 'up');
    const lines = linesOf(site);
    t.same(
      lines,
      lines.map((_, i) => (i % 2 === 0 ? AWAY : BACK)),
    );
    t.equal(lines.length % 2, 0, 'and it is back at the end');
  },
);

t.test(
  'OUTAGE-5: a network that stalls until the server gives its connections up',
  { buffered: true },
  async (t) => {
    const site = await siteOf(t);
    await write(site, 'before');
    site.database.proxy.stall();
    const [late] = await site.client.operate(put('m', 'k', '"first"', SAFE));
    t.match(late, { refusal: Code.NOT_YET_DURABLE, level: Level.MEMORY });
    await isSaid(t, site, 'down');
    await write(site, 'during');
    const [second] = await site.client.operate(put('m', 'k', '"second"'));
    t.match(second, { outcome: Code.APPLIED });
    site.database.proxy.heal(); // statements of the connections given up arrive now
    await isWhole(t, site);
    t.same(linesOf(site), [AWAY, BACK]);
  },
);

t.test('OUTAGE-6: a network in which everything vanishes', { buffered: true }, async (t) => {
  const site = await siteOf(t);
  await write(site, 'before');
  site.database.proxy.hole();
  const [late] = await site.client.operate(put('m', 'k', '1', SAFE));
  t.match(late, { refusal: Code.NOT_YET_DURABLE, level: Level.MEMORY });
  await isSaid(t, site, 'down');
  await write(site, 'during');
  site.database.proxy.heal();
  const soon = await site.client.operate(put('m', 'soon', '1', SAFE));
  t.match(soon, [{ outcome: Code.APPLIED, refusal: 0, level: Level.DATABASE }]);
  await isWhole(t, site);
  t.same(linesOf(site), [AWAY, BACK]);
});

t.test(
  'OUTAGE-10: a persistence thread that dies under load is replaced, and nothing is skipped',
  { buffered: true },
  async (t) => {
    const site = await siteOf(t, MORTAL);
    for (let round = 0; round < 4; round++) {
      await isSaid(t, site, 'up');
      const written = write(site, `round ${round}`);
      const safe = site.client.operate(put('m', 'safe', String(round), SAFE));
      if (round % 2 === 0) await written;
      site.server.killPersistence();
      await site.server.until(({ database }) => database === 'down');
      await written;
      t.match(await safe, [{ outcome: Code.APPLIED, refusal: 0, level: Level.DATABASE }]);
    }
    await isWhole(t, site);
    const died = 'the persistence thread has ended and is started again';
    t.equal(site.server.log.split(died).length - 1, 4);
    t.match(await site.server.stop(), { code: 0 });
  },
);

t.test(
  'OUTAGE-11: a persistence thread that dies again and again without a flush ends the server',
  { buffered: true },
  async (t) => {
    const site = await siteOf(t, { ...MORTAL, KILL_HEIRS: 'yes' });
    site.server.killPersistence();
    t.match(await site.server.end, { code: 1, sentence: /^tidewire: [^\n]+\.?$/ });
  },
);

async function siteOf(
  t: Pick<Test, 'teardown'>,
  env: Readonly<Record<string, string>> = {},
): Promise<Site> {
  const database = await OutageDatabase.start(t);
  const server = await RunningServer.start(t, {
    args: ['--database-url', database.url, '--workers', '2'],
    env: { LOG_LEVEL: 'info', ...env },
  });
  const client = await RawClient.connect(server.url);
  t.teardown(() => client.close());
  return { database, server, client };
}

/** FAST writes, each answered and readable. */
async function write({ client }: Site, name: string): Promise<void> {
  const keys = Array.from({ length: KEYS }, (_, i) => `${name}-${i}`);
  const results = await client.operate(...keys.map((key) => put('m', key, `"${key}"`)));
  const read = await client.operate(get('m', keys[0]));
  for (const { outcome, level } of results)
    if (outcome !== Code.APPLIED || level !== Level.MEMORY) throw new Error('FAST did not go on');
  if (textOf(read[0].value) !== `"${keys[0]}"`) throw new Error('a FAST write cannot be read');
}

/** Waits until the server knows, and asks whether it says so everywhere. */
async function isSaid(t: Test, { server }: Site, database: 'up' | 'down'): Promise<void> {
  await server.until((info) => info.database === database);
  const ready = await fetch(`${server.url.replace('ws:', 'http:')}/readyz`);
  t.match([ready.status, await ready.json()], [200, { status: 'ready', database }]);
}

/** Waits for the end of an outage and of its backlog; then the table is what memory is. */
async function isWhole(t: Test, site: Site): Promise<void> {
  await isSaid(t, site, 'up');
  const sql = site.database.sql();
  for (let look = 0; ; look++) {
    await site.server.until(({ dirty }) => dirty === 0);
    const rows = await sql<{ key: string; value: Uint8Array; hlc: string; deleted: boolean }[]>`
      SELECT key, value, hlc::text, deleted FROM tidewire.record WHERE map = 'm' ORDER BY key`;
    const { records } = await site.server.info();
    if (rows.length !== records && look < LOOKS_MAX) {
      await delay(POLL_MS); // a worker reports its numbers a little after its answers
      continue;
    }
    const found = await readAll(
      site.client,
      rows.map(({ key }) => key),
    );
    t.equal(rows.length, records, 'the table has every record');
    t.same(
      rows.map(({ hlc, deleted, value }) => [hlc, deleted ? '' : textOf(value)]),
      found.map(({ stamp, value }) => [String(stamp), textOf(value)]),
      'as memory has it',
    );
    return;
  }
}

async function readAll(client: RawClient, keys: readonly string[]) {
  const results = [];
  for (let at = 0; at < keys.length; at += KEYS)
    results.push(
      ...(await client.operate(...keys.slice(at, at + KEYS).map((key) => get('m', key)))),
    );
  return results;
}

/** What the log says of the database. */
function linesOf({ server }: Site): string[] {
  return server.log
    .split('\n')
    .filter((line) => line.includes('"msg":"the database is'))
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
}
