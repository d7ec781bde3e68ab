import { EPOCHS_KEPT } from '@tidewire/core';
import type { CollectionMark } from '@tidewire/core/threads';
import { ROW_COLUMNS } from './postgres-rows.js';
import type { PartitionNumber, StoredRecord } from './store.js';

/**
 * The statements of the Postgres store and their parameters. Arrays travel as text literals with a
 * cast in the statement: a driver would have to be told the type of each, and would walk it twice.
 */

const ORDER_COLUMNS = ['hlc', 'node', 'deleted', 'value', 'kind'];

/** The order of writes, as in memory: see conflict.ts of the partition worker. */
function orderOf(table: string): string {
  const columns = ORDER_COLUMNS.map((column) => `${table}.${column}`);
  return `(${columns.join(', ')}, coalesce(${table}.expires_at, 0))`;
}

const FENCE = `fence AS MATERIALIZED (
  SELECT 1 FROM tidewire.fence WHERE epoch = $1::int8 AND connection = $2::int8 FOR SHARE
)`;

/**
 * One statement, one transaction: the fence row is held FOR SHARE until the commit, so whoever
 * raises the epoch waits for this write or makes it find no fence. The order guard makes a replay,
 * and a write that arrives late, change nothing. `more` are further columns and their values.
 */
function guardedUpsert(table: string, more: readonly (readonly [string, string])[]): string {
  const names = [...ROW_COLUMNS, ...more.map(([name]) => name)];
  return `
WITH ${FENCE}, written AS (
  INSERT INTO ${table} AS stored (${names.join(', ')})
  SELECT map, key, value, kind, (ms << 16) | counter, node, partition, sequence,
    nullif(expires_at, 0), deleted${more.map(([, value]) => `, ${value}`).join('')}
  FROM fence, unnest($3::text[], $4::text[], $5::bytea[], $6::int2[], $7::int8[], $8::int8[],
    $9::int4[], $10::int2[], $11::int8[], $12::int8[], $13::bool[])
    AS batch (map, key, value, kind, ms, counter, node, partition, sequence, expires_at, deleted)
  ${replaceIfNewer(names)}
)
SELECT 1 AS held FROM fence`;
}

/** The guard of an INSERT into a table called `stored`. */
function replaceIfNewer(names: readonly string[]): string {
  const changed = names.filter((name) => name !== 'map' && name !== 'key');
  return `ON CONFLICT (map, key) DO UPDATE
  SET ${changed.map((name) => `${name} = excluded.${name}`).join(', ')}
  WHERE ${orderOf('stored')} < ${orderOf('excluded')}`;
}

/** $1 epoch, $2 connection, $3 to $13 the records. One row if the fence held, else none. */
export const FLUSH: string = guardedUpsert('tidewire.record', []);

/** Holds the fence to the end of the transaction, one row, if it is still this one. */
export function holdFence(epoch: number, connection: number): string {
  return `SELECT 1 AS held FROM tidewire.fence
    WHERE epoch = ${epoch} AND connection = ${connection} FOR SHARE`;
}

/** Where the rows of a large batch are gathered: a table of the connection, empty at each commit. */
export const STAGE = 'pg_temp.tidewire_batch';

export const MAKE_STAGE: string = `
CREATE TEMPORARY TABLE IF NOT EXISTS tidewire_batch (LIKE tidewire.record) ON COMMIT DELETE ROWS`;

/** From the stage to the table, as FLUSH. REQUIRES: the fence is held. */
export const MERGE_STAGE: string = `
INSERT INTO tidewire.record AS stored (${ROW_COLUMNS.join(', ')})
SELECT ${ROW_COLUMNS.join(', ')} FROM ${STAGE}
${replaceIfNewer(ROW_COLUMNS)}`;

/** As FLUSH; $14 is the reason. */
export const BURY: string = guardedUpsert('tidewire.dead_letter', [
  ['epoch', '$1::int8'],
  ['reason', '$14::text'],
  ['refused_at', 'now()'],
]);

/** Letters behind map $1 and key $2, of map $3 and key $4 unless NULL, $5 at most; see DeadLetter. */
export const READ_LETTERS: string = `
SELECT map, key, value, kind, (hlc >> 16)::float8 AS ms, (hlc & 65535)::int4 AS counter, node, deleted,
  reason, refused_at AS "refusedAt", EXISTS (
    SELECT 1 FROM tidewire.record WHERE record.map = letter.map AND record.key = letter.key
      AND ${orderOf('letter')} < ${orderOf('record')}) AS "isSuperseded"
FROM tidewire.dead_letter AS letter
WHERE (map, key) > ($1::text, $2::text) AND map = coalesce($3::text, map)
  AND key = coalesce($4::text, key)
ORDER BY map, key LIMIT $5::int4`;

/**
 * Map $1, key $2. The fence is held alone, so no statement of a server is under way: one that forgets a
 * collected tombstone would let an older letter come back.
 */
export const REQUEUE_LETTER: string = `
WITH fence AS MATERIALIZED (SELECT 1 FROM tidewire.fence FOR UPDATE), letter AS (
  DELETE FROM tidewire.dead_letter AS dead USING fence WHERE map = $1::text AND key = $2::text
  RETURNING ${ROW_COLUMNS.map((column) => `dead.${column}`).join(', ')}
), written AS (
  INSERT INTO tidewire.record AS stored (${ROW_COLUMNS.join(', ')})
  SELECT ${ROW_COLUMNS.join(', ')} FROM letter
  ${replaceIfNewer(ROW_COLUMNS)}
  RETURNING 1
)
SELECT (SELECT count(*) FROM letter)::int4 AS letters, (SELECT count(*) FROM written)::int4 AS written`;

/** All records, buried ones too, for a RowDecoder. */
export const COPY_ALL: string = `COPY (
  SELECT ${ROW_COLUMNS.join(', ')} FROM tidewire.record
  UNION ALL SELECT ${ROW_COLUMNS.join(', ')} FROM tidewire.dead_letter
) TO STDOUT (FORMAT binary)`;

export const PARTITION_NUMBERS = `
SELECT partition, max(sequence)::float8 AS sequence FROM (
  SELECT partition, sequence FROM tidewire.partition_base
  UNION ALL SELECT partition, sequence FROM tidewire.partition_gc
  UNION ALL SELECT partition, sequence FROM tidewire.dead_letter
) AS numbers GROUP BY partition`;

/** The epochs of which something is kept, beside the running one. $1 epoch. */
export const BASES: string = `
SELECT partition, epoch::float8 AS epoch, sequence::float8 AS sequence FROM tidewire.partition_base
WHERE epoch < $1::int8 AND epoch >= $1::int8 - ${EPOCHS_KEPT}`;

/** $1 epoch, $2 connection, $3 and $4 the bases. As FLUSH, one row if the fence held. */
export const KEEP_BASES: string = `
WITH ${FENCE}, written AS (
  INSERT INTO tidewire.partition_base AS stored (partition, epoch, sequence)
  SELECT partition, $1::int8, sequence
  FROM fence, unnest($3::int2[], $4::int8[]) AS base (partition, sequence)
  ON CONFLICT (partition, epoch) DO UPDATE SET sequence = excluded.sequence
  WHERE stored.sequence < excluded.sequence
), forgotten AS (
  DELETE FROM tidewire.partition_base USING fence WHERE epoch < $1::int8 - ${EPOCHS_KEPT}
)
SELECT 1 AS held FROM fence`;

export const COLLECTED = `
SELECT partition, (hlc >> 16)::float8 AS ms, (hlc & 65535)::int4 AS counter, node,
  sequence::float8 AS sequence FROM tidewire.partition_gc`;

/** $1 epoch, $2 connection, $3 to $7 the marks. As FLUSH, one row if the fence held. */
export const RAISE_COLLECTED: string = `
WITH ${FENCE}, raised AS (
  INSERT INTO tidewire.partition_gc AS stored (partition, sequence, hlc, node)
  SELECT partition, sequence, (ms << 16) | counter, node
  FROM fence, unnest($3::int2[], $4::int8[], $5::int8[], $6::int8[], $7::int4[])
    AS mark (partition, sequence, ms, counter, node)
  ON CONFLICT (partition) DO UPDATE
  SET sequence = greatest(stored.sequence, excluded.sequence),
    (hlc, node) = (SELECT stamp.hlc, stamp.node
      FROM (VALUES (stored.hlc, stored.node), (excluded.hlc, excluded.node)) AS stamp (hlc, node)
      ORDER BY stamp.hlc DESC, stamp.node DESC LIMIT 1)
)
SELECT 1 AS held FROM fence`;

/**
 * $1 epoch, $2 connection, $3 the number of rows. One row with their number if the fence held. They
 * are locked in the order of their keys, as a flush does.
 */
export const FORGET_COLLECTED: string = `
WITH ${FENCE}, covered AS MATERIALIZED (
  SELECT record.ctid AS place FROM tidewire.record, fence
  WHERE deleted AND record.ctid = ANY (ARRAY(
    SELECT record.ctid FROM tidewire.record JOIN tidewire.partition_gc AS gc USING (partition)
    WHERE record.deleted AND record.sequence <= gc.sequence
      AND (record.hlc, record.node) <= (gc.hlc, gc.node) LIMIT $3::int4))
  ORDER BY map, key FOR UPDATE OF record
), forgotten AS (
  DELETE FROM tidewire.record AS stored USING covered
  WHERE stored.ctid = covered.place AND stored.deleted
  RETURNING stored.*
), unburied AS (
  DELETE FROM tidewire.dead_letter AS dead USING forgotten
  WHERE dead.map = forgotten.map AND dead.key = forgotten.key
    AND ${orderOf('dead')} <= ${orderOf('forgotten')}
)
SELECT (SELECT count(*) FROM forgotten)::int4 AS forgotten FROM fence`;

/** Parameters $3 to $7. */
export function markParameters(marks: readonly CollectionMark[]): string[] {
  return [
    textArray(marks, ({ partition }) => partition),
    textArray(marks, ({ sequence }) => sequence),
    textArray(marks, ({ ms }) => ms),
    textArray(marks, ({ counter }) => counter),
    textArray(marks, ({ node }) => node),
  ];
}

/** Parameters $3 and $4. */
export function baseParameters(bases: readonly PartitionNumber[]): string[] {
  return [
    textArray(bases, ({ partition }) => partition),
    textArray(bases, ({ sequence }) => sequence),
  ];
}

/** Parameters $3 to $13. */
export function recordParameters(records: readonly StoredRecord[]): string[] {
  return [
    textArray(records, (record) => quoted(record.map)),
    textArray(records, (record) => quoted(record.key)),
    textArray(records, (record) => hexOf(record.value)),
    textArray(records, (record) => record.kind),
    textArray(records, (record) => record.ms),
    textArray(records, (record) => record.counter),
    textArray(records, (record) => record.node),
    textArray(records, (record) => record.partition),
    textArray(records, (record) => record.sequence),
    textArray(records, (record) => record.expiresAt),
    textArray(records, (record) => (record.deleted ? 't' : 'f')),
  ];
}

function textArray<Item>(items: readonly Item[], element: (item: Item) => string | number): string {
  return `{${items.map(element).join(',')}}`;
}

const SPECIAL = /["\\]/g;

/** An element of a text array; quoted, since NULL, commas and braces mean something there. */
function quoted(text: string): string {
  return `"${text.replace(SPECIAL, '\\$&')}"`;
}

/** An element of a bytea array: `\x` and hexadecimal digits, the backslash escaped. */
function hexOf(bytes: Uint8Array): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return `"\\\\x${view.toString('hex')}"`;
}
