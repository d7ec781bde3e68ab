import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PARTITIONS } from '@tidewire/core';
import { StoreError } from './store.js';

/** Runs a statement, or several without parameters as one transaction. */
type Query = (text: string) => Promise<readonly Record<string, unknown>[]>;

/** Each brings the tables from the version before, the first from nothing, to its place in the list. */
const STEPS: readonly string[] = ['0001-record.sql', '0002-store.sql', '0003-lifetime.sql'];
const VERSION: number = STEPS.length;
const RECORD_COLUMNS: Readonly<Record<string, string>> = {
  map: 'text C',
  key: 'text C',
  value: 'bytea',
  kind: 'int2',
  hlc: 'int8',
  node: 'int4',
  partition: 'int2',
  sequence: 'int8',
  expires_at: 'int8',
  deleted: 'bool',
};

/**
 * Creates the tables in a database that has none, brings older ones to this version, and refuses
 * what it cannot use. Returns the database's own number.
 * REQUIRES: the advisory lock, unless the schema stands in this version.
 */
export async function prepareSchema(query: Query): Promise<bigint> {
  await requireUtf8(query);
  const [found] = await query(
    `SELECT to_regnamespace('tidewire') IS NOT NULL AS schema,
      to_regclass('tidewire.layout') IS NOT NULL AS layout`,
  );
  if (found?.['schema'] !== true) await create(query);
  else if (found['layout'] !== true)
    throw new StoreError(
      'FOREIGN',
      'The database has a schema tidewire that Tidewire did not make.',
    );
  await upgrade(query, await requireLayout(query));
  await requireRecordTable(query);
  const [layout] = await query('SELECT store::text FROM tidewire.layout');
  return BigInt(String(layout?.['store']));
}

async function create(query: Query): Promise<void> {
  await query(`${await textOf(STEPS[0])}
    INSERT INTO tidewire.layout (version, partitions) VALUES (1, ${PARTITIONS});
    INSERT INTO tidewire.fence (epoch, connection) VALUES (0, 0);
    ${await textOf(...STEPS.slice(1))}`);
}

/** All steps at once: a start that dies leaves the old version. */
async function upgrade(query: Query, version: number): Promise<void> {
  if (version < VERSION) await query(await textOf(...STEPS.slice(version)));
}

async function textOf(...steps: string[]): Promise<string> {
  const texts = steps.map((step) =>
    readFile(fileURLToPath(import.meta.resolve(`@tidewire/schemas/sql/${step}`)), 'utf8'),
  );
  return (await Promise.all(texts)).join('');
}

async function requireUtf8(query: Query): Promise<void> {
  const [row] = await query(`SELECT current_setting('server_encoding') AS encoding`);
  if (row?.['encoding'] !== 'UTF8')
    throw new StoreError(
      'FOREIGN',
      `The database has the encoding ${row?.['encoding']}; Tidewire needs UTF8.`,
    );
}

/** The version of the tables. */
async function requireLayout(query: Query): Promise<number> {
  const [layout] = await query('SELECT version, partitions FROM tidewire.layout');
  const [fence] = await query('SELECT epoch FROM tidewire.fence');
  if (layout === undefined || fence === undefined)
    throw new StoreError(
      'FOREIGN',
      'The schema tidewire is damaged: its layout or fence is empty.',
    );
  const version = Number(layout['version']);
  if (version > VERSION)
    throw new StoreError(
      'NEWER',
      `The tables have version ${version}, this Tidewire knows ${VERSION}: use a newer one.`,
    );
  if (layout['partitions'] !== PARTITIONS)
    throw new StoreError(
      'PARTITIONS',
      `The tables were written with ${layout['partitions']} partitions, not ${PARTITIONS}.`,
    );
  return version;
}

async function requireRecordTable(query: Query): Promise<void> {
  const columns = await query(`
    SELECT column_name AS name, concat_ws(' ', udt_name, collation_name) AS type
    FROM information_schema.columns WHERE table_schema = 'tidewire' AND table_name = 'record'`);
  const types = new Map(columns.map((column) => [column['name'], column['type']]));
  for (const [name, type] of Object.entries(RECORD_COLUMNS))
    if (types.get(name) !== type)
      throw new StoreError(
        'FOREIGN',
        `The table tidewire.record is damaged: column ${name} is ${types.get(name) ?? 'missing'}.`,
      );
  const keys = await query(`
    SELECT attname AS name FROM pg_index JOIN pg_attribute
      ON attrelid = indrelid AND attnum = ANY (indkey)
    WHERE indrelid = 'tidewire.record'::regclass AND indisprimary ORDER BY attnum`);
  if (keys.map((key) => key['name']).join() !== 'map,key')
    throw new StoreError('FOREIGN', 'The table tidewire.record is damaged: no key (map, key).');
}
