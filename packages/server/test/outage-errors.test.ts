import { Code, Level } from '@tidewire/schemas';
import t from 'tap';
import { put, SAFE } from './operations.js';
import { AWAY, BACK, isSaid, isWhole, linesOf, type Site, siteOf, write } from './outage-site.js';

/** A trouble of the database: how it begins, how it ends, and what the server says of it. */
interface Trouble {
  readonly begin: (site: Site) => Promise<void>;
  readonly end: (site: Site) => Promise<void>;
  readonly reason: RegExp;
}

const TROUBLES: Readonly<Record<string, Trouble>> = {
  'read-only, as after a failover': setting('default_transaction_read_only = on', /read-only/),
  'a statement timeout that nothing keeps': setting("statement_timeout = '1ms'", /timeout/),
  'a full disk': raising('53100'),
  'no memory': raising('53200'),
  'a deadlock at every flush': raising('40P01'),
};

for (const [name, { begin, end, reason }] of Object.entries(TROUBLES))
  t.test(
    `OUTAGE-16: ${name}: FAST goes on, all is told, and SAFE is answered once it has ended`,
    { buffered: true },
    async (t) => {
      const site = await siteOf(t);
      await write(site, 'before');
      await begin(site);
      const safe = site.client.operate(put('m', 'k', '"safe"', SAFE));
      await isSaid(t, site, 'down');
      await site.server.until(({ outage = '' }) => reason.test(outage));
      await write(site, 'during');
      await end(site);
      t.match(await safe, [{ outcome: Code.APPLIED, refusal: 0, level: Level.DATABASE }]);
      await isWhole(t, site);
      t.same(linesOf(site), [AWAY, BACK]);
    },
  );

/** For new connections, so the old ones end. */
function setting(text: string, reason: RegExp): Trouble {
  return {
    begin: async ({ database }) => {
      await database.sql().unsafe(`ALTER DATABASE postgres SET ${text}`);
      await database.terminateBackends();
    },
    end: async ({ database }) => {
      await database.sql().unsafe('ALTER DATABASE postgres RESET ALL');
      await database.terminateBackends();
    },
    reason,
  };
}

/** Every write into the table fails like this, however it is made. */
function raising(state: string): Trouble {
  return {
    begin: async ({ database }) => {
      await database.sql().unsafe(`
        CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
          RAISE 'trouble with state ${state}' USING ERRCODE = '${state}'; END $$;
        CREATE TRIGGER trouble BEFORE INSERT ON tidewire.record
          FOR EACH ROW EXECUTE FUNCTION trouble()`);
    },
    end: async ({ database }) => {
      await database.sql().unsafe('DROP FUNCTION trouble CASCADE');
    },
    reason: new RegExp(state),
  };
}
