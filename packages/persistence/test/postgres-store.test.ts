import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { COPY_RECORDS_MIN, MERGE_RECORDS_MIN } from '@tidewire/core';
import t from 'tap';
import { FLUSH, recordParameters } from '#lib/postgres-statement.js';
import { PostgresStore } from '#lib/postgres-store.js';
import type { StoredRecord, StoreErrorKind } from '#lib/store.js';
import { storeContract } from './store.contract.js';
import { TestServer } from './support/database.js';
import { KEYS, record, removal, sorted, text, VALUES } from './support/records.js';
import { rejects } from './support/rejects.js';

const server = await TestServer.start(t);
const FIRST = { takeOver: false };
const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE pid <> pg_backend_pid() AND datname = current_database()`;

/** An upsert fires the trigger of its INSERT, a COPY into the table the other one alone. */
const COUNT_UPSERTS = `CREATE TABLE upserted ();
  CREATE FUNCTION count_upsert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO upserted DEFAULT VALUES; RETURN NULL; END $$;
  CREATE TRIGGER upserts AFTER UPDATE ON tidewire.record
    FOR EACH STATEMENT EXECUTE FUNCTION count_upsert()`;

t.test('Postgres keeps the contract of a store', async (t) => {
  storeContract(t, async () => {
    const connection = await server.freshDatabase();
    return () => new PostgresStore(connection);
  });
});

async function place(): Promise<{ store: PostgresStore; sql: ReturnType<TestServer['sql']> }> {
  const connection = await server.freshDatabase();
  return { store: new PostgresStore(connection), sql: server.sql(connection) };
}

t.test(
  'FENCE-4: a lost connection takes a new number, and the old one is fenced off',
  async (t) => {
    const { store, sql } = await place();
    t.teardown(() => store.close());
    await store.open(FIRST);
    await store.flush([record('a', { ms: 1 })]);
    await sql.unsafe(CUT);
    await store.flush([record('a', { ms: 2 })]).catch((error) => {
      t.equal(error.kind, 'UNAVAILABLE');
      return store.flush([record('a', { ms: 2 })]);
    });
    const [fence] = await sql`SELECT epoch::int, connection::int FROM tidewire.fence`;
    t.same(fence, { epoch: 1, connection: 1 });
    const late = await sql.unsafe(FLUSH, ['1', '0', ...recordParameters([record('a', { ms: 3 })])]);
    t.equal(late.length, 0, 'a statement of the earlier connection finds no fence');
    const [{ ms }] = await sql`SELECT (hlc >> 16)::int AS ms FROM tidewire.record`;
    t.equal(ms, 2);
  },
);

t.test('FENCE-5: a take-over ends a statement that holds the fence too long', async (t) => {
  const { store, sql } = await place();
  await store.open(FIRST);
  await store.close();
  await sql.unsafe('BEGIN; SELECT 1 FROM tidewire.fence FOR SHARE');
  const [{ database }] = await sql`SELECT current_database() AS database`;
  const second = new PostgresStore({ ...server.server.connection, database }, { holderMs: 50 });
  t.teardown(() => second.close());
  t.match(await second.open(FIRST), { epoch: 2 });
  await t.rejects(sql.unsafe('COMMIT; SELECT 1 FROM tidewire.fence FOR SHARE; SELECT 1/0'));
});

t.test('FENCE-8: a flush under way commits before a take-over or never', async (t) => {
  const { store, sql } = await place();
  t.teardown(() => store.close());
  await store.open(FIRST);
  await store.flush([record('a', { ms: 1 })]);
  await sql.unsafe(`BEGIN; SELECT 1 FROM tidewire.record FOR UPDATE`);
  const stalled = store.flush([record('a', { ms: 3 })]).catch((error) => error.kind);
  const isStalled = `SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  while ((await sql.unsafe(isStalled)).length === 0);
  const [{ database }] = await sql`SELECT current_database() AS database`;
  const second = new PostgresStore({ ...server.server.connection, database }, { holderMs: 50 });
  t.teardown(() => second.close());
  await second.open({ takeOver: true });
  await sql.unsafe('COMMIT');
  await second.flush([record('a', { ms: 2 })]);
  t.equal(await stalled, 'UNAVAILABLE');
  const [{ ms }] = await sql`SELECT (hlc >> 16)::int AS ms FROM tidewire.record`;
  t.equal(ms, 2, 'the fenced flush wrote nothing');
});

t.test('WB-5: SQL reads JSON where Postgres takes it, else NULL', async (t) => {
  const { store, sql } = await place();
  t.teardown(() => store.close());
  await store.open(FIRST);
  await store.flush(
    sorted([
      ...Object.entries(VALUES).map(([key, value]) => record(key, { value })),
      record('bytes', { kind: 2, value: text('{}') }),
      record('plain', { value: text('{"age":18}'), expiresAt: 2 ** 47 }),
      record('expired', { expiresAt: 1 }),
      removal('removed'),
    ]),
  );
  const rows = await sql`SELECT key, value::text FROM tidewire.records ORDER BY key`;
  t.same(Object.fromEntries(rows.map(({ key, value }) => [key, value])), {
    '30 digits': '123456789012345678901234567890',
    'beyond double': `1${'0'.repeat(400)}`,
    bytes: null,
    'deep arrays': rows.find(({ key }) => key === 'deep arrays')?.['value'],
    'duplicate keys': '{"a": 2}',
    empty: null,
    'escaped nul': null,
    'every byte': null,
    'invalid UTF-8': null,
    'key order': '{"a": 2, "m": 3, "z": 1}',
    'lone surrogate': null,
    'negative zero': '0',
    plain: '{"age": 18}',
  });
  await sql`CREATE INDEX ON tidewire.record (((tidewire.json_of(kind, value) ->> 'age')))`;
});

t.test(
  'WB-6: a record that an index refuses is REJECTED, and an outage is UNAVAILABLE',
  async (t) => {
    const { store, sql } = await place();
    t.teardown(() => store.close());
    await store.open(FIRST);
    await sql`CREATE INDEX ON tidewire.record ((1 / (length(value) - 3)))`;
    await rejects(t, store.flush([record('a', { value: text('abc') })]), 'REJECTED');
    await store.flush([record('a', { value: text('abcd') })]);
    await sql`ALTER TABLE tidewire.record RENAME TO away`;
    await rejects(t, store.flush([record('a', { ms: 2 })]), 'UNAVAILABLE');
    await sql`ALTER TABLE tidewire.away RENAME TO record`;
    await store.flush([record('a', { ms: 2 })]);
    const [fence] = await sql`SELECT connection::int FROM tidewire.fence`;
    t.same(fence, { connection: 1 }, 'what became of the failed statement is unknown');
  },
);

t.test('WB-7: tables that are not of this version of Tidewire are refused', async (t) => {
  const cases: [string, StoreErrorKind, RegExp][] = [
    ['DROP TABLE tidewire.layout', 'FOREIGN', /did not make/],
    ['UPDATE tidewire.layout SET version = 4', 'NEWER', /version 4/],
    ['UPDATE tidewire.layout SET partitions = 7', 'PARTITIONS', /7 partitions/],
    ['DELETE FROM tidewire.fence', 'FOREIGN', /fence is empty/],
    ['ALTER TABLE tidewire.record DROP sequence', 'FOREIGN', /column sequence is missing/],
    ['ALTER TABLE tidewire.record ALTER key TYPE text COLLATE "POSIX"', 'FOREIGN', /column key/],
    ['ALTER TABLE tidewire.record DROP CONSTRAINT record_pkey', 'FOREIGN', /no key/],
  ];
  for (const [damage, kind, message] of cases) {
    const { store, sql } = await place();
    await store.open(FIRST);
    await store.close();
    await sql.unsafe(`DROP VIEW tidewire.records; ${damage}`);
    const next = new PostgresStore({ ...server.server.connection, database: sql.options.database });
    await rejects(t, next.open(FIRST), kind, message);
  }
});

t.test(
  'STOREC-10: tables of version 1 are brought to this version, with all they hold',
  async (t) => {
    const { store, sql } = await place();
    const first = await readFile(
      fileURLToPath(import.meta.resolve('@tidewire/schemas/sql/0001-record.sql')),
      'utf8',
    );
    await sql.unsafe(`${first}
    INSERT INTO tidewire.layout (version, partitions) VALUES (1, 271);
    INSERT INTO tidewire.fence (epoch, connection) VALUES (41, 3);
    INSERT INTO tidewire.record VALUES ('m', 'k', '1', 1, 1 << 16, 7, 0, 9, NULL, false)`);
    t.teardown(() => store.close());
    const { epoch } = await store.open(FIRST);
    t.equal(epoch, 42);
    const records: string[] = [];
    await store.recover(async (group) => void records.push(...group.map(({ key }) => key)));
    t.same(records, ['k']);
    const [layout] = await sql`SELECT version, partitions FROM tidewire.layout`;
    t.same(layout, { version: 3, partitions: 271 });
  },
);

t.test(
  'OUTAGE-12: read-only or too slow: the flush fails, and succeeds once that has ended',
  async (t) => {
    const { store, sql } = await place();
    t.teardown(() => store.close());
    await store.open(FIRST);
    const { database } = sql.options;
    const rows = (ms: number): StoredRecord[] =>
      sorted(Array.from({ length: MERGE_RECORDS_MIN }, (_, i) => record(`k${i}`, { ms })));
    const reconnect = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE pid <> pg_backend_pid() AND datname = '${database}'`;
    const settings = ['default_transaction_read_only = on', "statement_timeout = '1ms'"];
    for (const [i, setting] of settings.entries()) {
      await sql.unsafe(`ALTER DATABASE ${database} SET ${setting}; ${reconnect}`);
      for (const batch of [rows(2 * i + 1), [record('one', { ms: 2 * i + 1 })]])
        for (let attempt = 0; attempt < 2; attempt++)
          await rejects(t, store.flush(batch), 'UNAVAILABLE');
      await sql.unsafe(`BEGIN READ WRITE; SET LOCAL statement_timeout = 0;
      ALTER DATABASE ${database} RESET ALL; COMMIT; ${reconnect}`);
      await store.flush(rows(2 * i + 2)).catch(() => store.flush(rows(2 * i + 2)));
      const [{ count }] = await sql`SELECT count(*)::int FROM tidewire.record
      WHERE hlc >> 16 = ${2 * i + 2}`;
      t.equal(count, MERGE_RECORDS_MIN, setting);
    }
  },
);

t.test(
  'OUTAGE-13: connections ended at any moment of a flush, however large, lose nothing',
  async (t) => {
    const { store, sql } = await place();
    t.teardown(() => store.close());
    await store.open(FIRST);
    const counts = [1, COPY_RECORDS_MIN, MERGE_RECORDS_MIN];
    let failures = 0;
    for (let ms = 1; ms <= 60; ms++) {
      const count = counts[ms % counts.length];
      const rows = sorted(Array.from({ length: count }, (_, i) => record(`k${i + ms}`, { ms })));
      const isCut = ms % 2 === 0;
      for (let attempt = 0; ; attempt++) {
        const flushed = store.flush(rows).then(
          () => true,
          (error) => {
            if (error.kind !== 'UNAVAILABLE') t.fail(error.message);
            return false;
          },
        );
        // The statement that cuts takes its own time, so each attempt is cut elsewhere.
        if (isCut && attempt === 0) await sql.unsafe(`SELECT pg_sleep(${ms / 10_000}); ${CUT}`);
        if (await flushed) break;
        failures++;
      }
      const [{ found }] = await sql`SELECT count(*)::int AS found FROM tidewire.record
      WHERE hlc >> 16 = ${ms}`;
      if (found !== count) t.fail(`${found} of ${count} rows of flush ${ms}`);
    }
    t.ok(failures > 0, `${failures} flushes were cut`);
  },
);

t.test('WB-8: a server that cannot be reached is UNAVAILABLE', async (t) => {
  const store = new PostgresStore({ url: 'postgres://nobody@127.0.0.1:1/none' });
  await rejects(t, store.open(FIRST), 'UNAVAILABLE');
});

t.test(
  'WB-42: a large flush of new rows is copied, also after one that had known rows',
  async (t) => {
    const { store, sql } = await place();
    t.teardown(() => store.close());
    await store.open(FIRST);
    await sql.unsafe(COUNT_UPSERTS);
    const rows = (from: number): StoredRecord[] =>
      sorted(Array.from({ length: COPY_RECORDS_MIN }, (_, i) => record(`k${from + i}`, { ms: 2 })));
    const upserts = async (): Promise<number> => {
      const [{ count }] = await sql`SELECT count(*)::int FROM upserted`;
      return count;
    };
    await store.flush(rows(0));
    t.equal(await upserts(), 0, 'new rows need no check');
    await store.flush(rows(10));
    t.equal(await upserts(), 1, 'not all were new');
    await store.flush(rows(10_000));
    t.equal(await upserts(), 2, 'the next is not tried');
    await store.flush(rows(20_000));
    await store.flush(rows(30_000));
    t.equal(await upserts(), 2, 'but the one after that is');
    const [{ count }] = await sql`SELECT count(*)::int FROM tidewire.record`;
    t.equal(count, 4 * COPY_RECORDS_MIN + 10);
  },
);

t.test(
  'WB-43: a record refused in a large flush is REJECTED, and none of it is there',
  async (t) => {
    const { store, sql } = await place();
    t.teardown(() => store.close());
    await store.open(FIRST);
    await sql`CREATE INDEX ON tidewire.record ((1 / (length(value) - 3)))`;
    const rows = Array.from({ length: MERGE_RECORDS_MIN + 1 }, (_, i) =>
      record(`k${i}`, { value: text(i === 7 ? 'abc' : 'abcd') }),
    );
    await rejects(t, store.flush(sorted(rows)), 'REJECTED', /division by zero/);
    t.same(await sql`SELECT FROM tidewire.record`, []);
    await store.flush(sorted(rows.filter(({ value }) => value.length === 4)));
    t.equal((await sql`SELECT FROM tidewire.record`).length, MERGE_RECORDS_MIN);
  },
);

t.test('WB-44: an account that may make no temporary table flushes all the same', async (t) => {
  const { store, sql } = await place();
  await store.open(FIRST);
  await store.close();
  const { database } = sql.options;
  await sql.unsafe(`REVOKE TEMPORARY ON DATABASE ${database} FROM PUBLIC; CREATE ROLE plain LOGIN;
    GRANT ALL ON SCHEMA tidewire TO plain; GRANT ALL ON ALL TABLES IN SCHEMA tidewire TO plain`);
  const second = new PostgresStore({ ...server.server.connection, database, user: 'plain' });
  t.teardown(() => second.close());
  await second.open(FIRST);
  for (const ms of [1, 2]) {
    const rows = Array.from({ length: MERGE_RECORDS_MIN }, (_, i) => record(`k${i}`, { ms }));
    await second.flush(sorted(rows));
  }
  const [{ count }] = await sql`SELECT count(*)::int FROM tidewire.record WHERE hlc >> 16 = 2`;
  t.equal(count, MERGE_RECORDS_MIN);
});

t.test('FENCE-9: a large flush under way commits before a take-over or never', async (t) => {
  const { store, sql } = await place();
  t.teardown(() => store.close());
  await store.open(FIRST);
  await store.flush([record('k0', { ms: 1 })]);
  await sql.unsafe(`BEGIN; SELECT 1 FROM tidewire.record FOR UPDATE`);
  const rows = Array.from({ length: MERGE_RECORDS_MIN }, (_, i) => record(`k${i}`, { ms: 3 }));
  const stalled = store.flush(sorted(rows)).catch((error) => error.kind);
  const isStalled = `SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  while ((await sql.unsafe(isStalled)).length === 0);
  const { database } = sql.options;
  const second = new PostgresStore({ ...server.server.connection, database }, { holderMs: 50 });
  t.teardown(() => second.close());
  await second.open({ takeOver: true });
  await sql.unsafe('COMMIT');
  t.equal(await stalled, 'UNAVAILABLE');
  t.equal((await sql`SELECT FROM tidewire.record`).length, 1, 'the fenced flush wrote nothing');
});

t.test('WB-9: keys that mean something in an array literal arrive as they are', async (t) => {
  const { store, sql } = await place();
  t.teardown(() => store.close());
  await store.open(FIRST);
  await store.flush(sorted(KEYS.map((key) => record(key))));
  const rows = await sql`SELECT key FROM tidewire.record`;
  t.same(new Set(rows.map(({ key }) => key)), new Set(KEYS));
});
