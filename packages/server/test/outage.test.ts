import { Code, Level } from '@tidewire/schemas';
import t from 'tap';
import { put, remove, SAFE } from './operations.js';
import { AWAY, BACK, isSaid, isWhole, KEYS, linesOf, siteOf, write } from './outage-site.js';
import { MORTAL } from './running-server.js';

t.jobs = 2;

/** Whoever writes a record waits for an advisory lock before the commit. */
const WAIT_BEFORE_COMMIT = `
  CREATE FUNCTION wait_before_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END $$;
  CREATE TRIGGER wait_before_commit AFTER INSERT OR UPDATE ON tidewire.record
    FOR EACH STATEMENT EXECUTE FUNCTION wait_before_commit()`;

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

t.test(
  'OUTAGE-15: a commit whose answer is lost counts as an outage, and is not lost or doubled',
  { buffered: true },
  async (t) => {
    const site = await siteOf(t);
    await write(site, 'before');
    const sql = site.database.sql();
    for (let rows = 0; rows < KEYS; )
      [{ rows }] = await sql`SELECT count(*)::int AS rows FROM tidewire.record`;
    await sql.unsafe(`${WAIT_BEFORE_COMMIT}; SELECT pg_advisory_lock(1)`);
    const safe = site.client.operate(put('m', 'k', '"safe"', SAFE));
    for (let waiting = 0; waiting === 0; )
      [{ waiting }] = await sql`SELECT count(*)::int AS waiting FROM pg_locks WHERE NOT granted`;
    site.database.proxy.mute();
    await sql`SELECT pg_advisory_unlock(1)`;
    for (let rows = 0; rows === 0; )
      [{ rows }] = await sql`SELECT count(*)::int AS rows FROM tidewire.record WHERE key = 'k'`;
    await write(site, 'during');
    site.database.proxy.cut();
    await isSaid(t, site, 'down');
    site.database.proxy.heal();
    t.match(await safe, [{ outcome: Code.APPLIED, refusal: 0, level: Level.DATABASE }]);
    await isWhole(t, site);
    t.same(linesOf(site), [AWAY, BACK]);
  },
);
