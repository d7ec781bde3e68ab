import type postgres from 'postgres';
import { MAP, valueTextOf } from './support/client.js';

/** Keys whose row is not the last write, and keys that nobody wrote. */
export async function differencesOf(
  sql: postgres.Sql,
  expected: ReadonlyMap<string, number>,
): Promise<string[]> {
  const rows = await sql<{ key: string; ms: string; value: Uint8Array }[]>`
    SELECT key, (hlc >> 16)::text AS ms, value FROM tidewire.record WHERE map = ${MAP}`;
  const found = new Map(rows.map(({ key, ms, value }) => [key, `${ms} ${Buffer.from(value)}`]));
  const wrong = [...expected].filter(
    ([key, ms]) => found.get(key) !== `${ms} ${valueTextOf({ key, ms })}`,
  );
  const strange = [...found.keys()].filter((key) => !expected.has(key));
  return [...wrong.map(([key]) => key), ...strange];
}
