import { setTimeout as delay } from 'node:timers/promises';
import { Code, Level } from '@tidewire/schemas';
import type { Test } from 'tap';
import { get, put, textOf } from './operations.js';
import { OutageDatabase } from './outage-database.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const POLL_MS = 10;
const LOOKS_MAX = 500;
/** Of one `write`. */
export const KEYS = 300;
export const AWAY = 'the database is away; writes go on in memory';
export const BACK = 'the database is back';

/** A server on a database of the test's own, behind a proxy. */
export interface Site {
  readonly database: OutageDatabase;
  readonly server: RunningServer;
  readonly client: RawClient;
}

export async function siteOf(
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
export async function write({ client }: Site, name: string): Promise<void> {
  const keys = Array.from({ length: KEYS }, (_, i) => `${name}-${i}`);
  const results = await client.operate(...keys.map((key) => put('m', key, `"${key}"`)));
  const read = await client.operate(get('m', keys[0]));
  for (const { outcome, level } of results)
    if (outcome !== Code.APPLIED || level !== Level.MEMORY) throw new Error('FAST did not go on');
  if (textOf(read[0].value) !== `"${keys[0]}"`) throw new Error('a FAST write cannot be read');
}

/** Waits until the server knows, and asks whether it says so everywhere. */
export async function isSaid(t: Test, { server }: Site, database: 'up' | 'down'): Promise<void> {
  await server.until((info) => info.database === database);
  const ready = await fetch(`${server.url.replace('ws:', 'http:')}/readyz`);
  t.match([ready.status, await ready.json()], [200, { status: 'ready', database }]);
}

/** Waits for the end of an outage and of its backlog; then the table is what memory is. */
export async function isWhole(t: Test, site: Site): Promise<void> {
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
export function linesOf({ server }: Site): string[] {
  return server.log
    .split('\n')
    .filter((line) => line.includes('"msg":"the database is'))
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
}
