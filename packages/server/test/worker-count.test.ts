import { hashOf, PARTITIONS, partitionOf } from '@tidewire/core';
import { Code, type Result } from '@tidewire/schemas';
import t, { type Test } from 'tap';
import { get, put, remove, SAFE, textOf } from './operations.js';
import { type OperationInit, RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

t.setTimeout(120_000);

const KEYS = 1500;
const OPERATIONS = 500;
/** Each start has another number of workers than the one before. */
const WORKERS = [1, 3, 2, 5];

const keys = Array.from({ length: KEYS }, (_, i) => `key ${i}`);
const isGone = (i: number): boolean => i % 7 === 0;

const partitionIdOf = (key: string): number => partitionOf(hashOf(Buffer.from(key)));

async function operateAll(
  client: RawClient,
  operations: readonly OperationInit[],
): Promise<Result[]> {
  const results: Result[] = [];
  for (let at = 0; at < operations.length; at += OPERATIONS)
    results.push(...(await client.operate(...operations.slice(at, at + OPERATIONS))));
  return results;
}

/** What memory has of every key: value, stamp and sequence; a removal has its stamp alone. */
async function memoryOf(client: RawClient): Promise<string[]> {
  const results = await operateAll(
    client,
    keys.map((key) => get('m', key)),
  );
  return results.map(({ outcome, stamp, node, sequence, value }) =>
    outcome === Code.FOUND
      ? `${stamp}/${node} ${sequence} ${textOf(value)}`
      : `${stamp}/${node} ${outcome === Code.ABSENT ? 'gone' : outcome}`,
  );
}

/** The same of the table. */
async function tableOf(server: RunningServer): Promise<string[]> {
  const sql = await server.sql();
  const rows = await sql`SELECT key, value, hlc::text, node, sequence::int8::text, deleted
    FROM tidewire.record WHERE map = 'm'`;
  const byKey = new Map(
    rows.map(({ key, value, hlc, node, sequence, deleted }) => [
      key,
      deleted ? `${hlc}/${node} gone` : `${hlc}/${node} ${sequence} ${textOf(value)}`,
    ]),
  );
  return keys.map((key) => byKey.get(key) ?? 'no row');
}

/** Every partition is changed, and some records are removed. */
async function change(t: Test, client: RawClient, round: number): Promise<Result[]> {
  const write = (key: string, i: number): OperationInit =>
    isGone(i + round) ? remove('m', key, SAFE) : put('m', key, `"${key}, ${round}"`, SAFE);
  const results = await operateAll(client, keys.map(write));
  t.ok(results.every(({ outcome, refusal }) => outcome === Code.APPLIED && refusal === 0));
  return results;
}

t.test(
  'CRASH-5: a start with another number of workers has the same records, and goes on above them',
  async (t) => {
    t.equal(new Set(keys.map(partitionIdOf)).size, PARTITIONS);
    const server = await RunningServer.start(t, { args: ['--workers', `${WORKERS[0]}`] });
    let before: string[] | undefined;
    const highest = Array<bigint>(PARTITIONS).fill(0n);
    for (const [round, workers] of WORKERS.entries()) {
      if (round > 0) await server.restart(['--workers', `${workers}`]);
      t.equal((await server.info()).workers, workers);
      const client = await RawClient.connect(server.url);
      const memory = await memoryOf(client);
      if (before !== undefined) {
        t.same(memory, before, `${workers} workers have the records`);
        t.same(await tableOf(server), before, 'and the table is equal');
      }
      const results = await change(t, client, round);
      for (const [i, { sequence }] of results.entries()) {
        const partition = partitionIdOf(keys[i]);
        if (sequence <= highest[partition]) t.fail(`partition ${partition} goes back`);
        highest[partition] = sequence;
      }
      before = await memoryOf(client);
      client.close();
    }
  },
);
