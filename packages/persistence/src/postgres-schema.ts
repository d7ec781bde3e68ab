import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PARTITIONS } from '@tidewire/core';
import { StoreError } from './store.js';

/** Runs a statement, or several without parameters as one transaction. */
type Query = (text: string) => Promise<readonly Record<string, unknown>[]>;

const VERSION = 1;
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
 * Creates the tables in a database that has none, else refuses what this version cannot use.
 * REQUIRES: the advisory lock, unless the schema stands.
 */
export async function prepareSchema(query: Query): Promise<void> {
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
  await requireLayout(query);
  await requireRecordTable(query);
}

async function create(query: Query): Promise<void> {
  const file = fileURLToPath(import.meta.resolve('@tidewire/schemas/sql/0001-record.sql'));
  await query(`${await readFile(file, 'utf8')}
    INSERT INTO tidewire.layout (version, partitions) VALUES (${VERSION}, ${PARTITIONS});
    INSERT INTO tidewire.fence (epoch, connection) VALUES (0, 0);`);
}

async function requireUtf8(query: Query): Promise<void> {
  const [row] = await query(`SELECT current_setting('server_encoding') AS encoding`);
  if (row?.['encoding'] !== 'UTF8')
    throw new StoreError(
      'FOREIGN',
      `The database has the encoding ${row?.['encoding']}; Tidewire needs UTF8.`,
    );
}

async function requireLayout(query: Query): Promise<void> {
  const [layout] = await query('SELECT version, partitions FROM tidewire.layout');
  const [fence] = await query('SELECT epoch FROM tidewire.fence');
  if (layout === undefined || fence === undefined)
    throw new StoreError(
      'FOREIGN',
      'The schema tidewire is damaged: its layout or fence is empty.',
    );
  const version = Number(layout['version']);
  if (version !== VERSION)
    throw new StoreError(
      'NEWER',
      `The tables have version ${version}, this Tidewire knows ${VERSION}: use a newer one.`,
    );
  if (layout['partitions'] !== PARTITIONS)
    throw new StoreError(
      'PARTITIONS',
      `The tables were written with ${layout['partitions']} partitions, not ${PARTITIONS}.`,
    );
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
