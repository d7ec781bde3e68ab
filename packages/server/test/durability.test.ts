import { setTimeout as delay } from 'node:timers/promises';
import { Code, Level, ValueKind } from '@tidewire/schemas';
import t from 'tap';
import { get, put, remove, SAFE, stampFromNow, textOf } from './operations.js';
import { type OperationInit, RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const POLL_MS = 10;
const KEY_BYTES_MAX = 1024;
const VALUE_BYTES_MAX = 32 * 1024;
const MAP_BYTES_MAX = 128;

const server = await RunningServer.start(t);

t.test(
  'WB-30: a SAFE answer has level DATABASE, and the row is there when it arrives',
  async (t) => {
    const client = await connected(t);
    const sql = await server.sql();
    for (let i = 0; i < 20; i++) {
      const [result] = await client.operate(put('safe', `k${i}`, String(i), SAFE));
      const [row] = await sql`SELECT value, sequence::int8::text, deleted FROM tidewire.record
      WHERE map = 'safe' AND key = ${`k${i}`}`;
      t.match(result, { outcome: Code.APPLIED, level: Level.DATABASE });
      t.match([textOf(row['value']), row['sequence']], [String(i), String(result.sequence)]);
    }
    const [removed] = await client.operate(remove('safe', 'k0', SAFE));
    const [row] = await sql`SELECT deleted FROM tidewire.record WHERE map = 'safe' AND key = 'k0'`;
    t.match([removed.level, row['deleted']], [Level.DATABASE, true]);
  },
);

t.test(
  'WB-31: SAFE holds for a SUPERSEDED and a DUPLICATE answer too: the winner is in the table',
  async (t) => {
    const client = await connected(t);
    const sql = await server.sql();
    const stamp = stampFromNow(-1000);
    const fast = put('safe', 'winner', '"w"', { stamp });
    const [, again, stale] = await client.operate(
      fast,
      { ...fast, ...SAFE },
      put('safe', 'winner', '"l"', { ...SAFE, stamp: stamp - 1n }),
    );
    t.match(again, { outcome: Code.DUPLICATE, level: Level.DATABASE });
    t.match(stale, { outcome: Code.SUPERSEDED, level: Level.DATABASE, stamp });
    const [row] =
      await sql`SELECT value FROM tidewire.record WHERE map = 'safe' AND key = 'winner'`;
    t.equal(textOf(row['value']), '"w"');
  },
);

t.test(
  'WB-32: a FAST answer has level MEMORY, and its row follows without being asked for',
  async (t) => {
    const client = await connected(t);
    const sql = await server.sql();
    const keys = Array.from({ length: 500 }, (_, i) => `k${i}`);
    const results = await client.operate(...keys.map((key) => put('fast', key, `"${key}"`)));
    t.ok(results.every(({ level }) => level === Level.MEMORY));
    const countRows = async (): Promise<number> =>
      (await sql`SELECT count(*)::int FROM tidewire.record WHERE map = 'fast'`)[0]['count'];
    while ((await countRows()) < keys.length) await delay(POLL_MS);
    await server.until(({ dirty }) => dirty === 0);
    t.equal(await countRows(), keys.length);
  },
);

t.test('WB-33: SQL reads standing records with JSON as jsonb', async (t) => {
  const client = await connected(t);
  const sql = await server.sql();
  await client.operate(
    put('view', 'json', '{"n":[1,2]}', SAFE),
    put('view', 'bytes', Uint8Array.of(1), SAFE),
    put('view', 'gone', '1', SAFE),
    remove('view', 'gone', SAFE),
  );
  const rows = await sql`SELECT key, value FROM tidewire.records WHERE map = 'view' ORDER BY key`;
  t.same(
    rows.map(({ key, value }) => [key, value]),
    [
      ['bytes', null],
      ['json', { n: [1, 2] }],
    ],
  );
});

t.test(
  'OP-11: names and values beyond their limits, and NUL in names, are refused by name',
  async (t) => {
    const client = await connected(t);
    const tooLong = Code.TOO_LARGE;
    const cases: [OperationInit, Code][] = [
      [put('m\0', 'k', '1'), Code.INVALID],
      [put('m', 'k\0', '1'), Code.INVALID],
      [get('m', '\0'), Code.INVALID],
      [put('', 'k', '1'), Code.INVALID],
      [remove('m', ''), Code.INVALID],
      [put('m', 'k'.repeat(KEY_BYTES_MAX + 1), '1'), tooLong],
      [put('m', 'ä'.repeat(KEY_BYTES_MAX / 2 + 1), '1'), tooLong],
      [put('m'.repeat(MAP_BYTES_MAX + 1), 'k', '1'), tooLong],
      [put('m', 'k', new Uint8Array(VALUE_BYTES_MAX + 1)), tooLong],
    ];
    for (const [operation, refusal] of cases) {
      const [result] = await client.operate(operation);
      t.match(result, { outcome: 0, refusal, sequence: 0n });
    }
    t.equal(client.errors.length, 0, 'and the connection goes on');
  },
);

/** Values that must come back bit for bit. */
const TEXTS: Readonly<Record<string, string>> = {
  'duplicate keys': '{"a":1,"a":2}',
  'key order and white space': '{ "b" : 1 ,\n"a":2}',
  'escaped NUL': '"\\u0000"',
  'lone surrogate': '"\\ud800"',
  '1e400': '1e400',
  'minus zero': '-0',
  'thirty digits': '123456789012345678901234567890',
  nested: '['.repeat(10_000) + ']'.repeat(10_000),
  empty: '',
  'no JSON': '{',
};
const KEYS = ['%', '/', '%2F/..', '😀', 'a b', '"', '\\', '{},', '\u0001', 'NULL', 'é', 'e\u0301'];

t.test(
  'WB-34: every SAFE record answers bit for bit after kill -9 and start, none put aside',
  async (t) => {
    const client = await connected(t);
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    const records: OperationInit[] = [
      ...Object.entries(TEXTS).map(([key, text]) => put('vectors', key, text)),
      ...KEYS.map((key) => put('vectors', key, `"${key.length}"`)),
      put('vectors', 'every byte', bytes),
      put('vectors', 'no bytes', new Uint8Array(0)),
      put('vectors', 'largest', new Uint8Array(VALUE_BYTES_MAX).fill(0xff)),
      put('vectors', 'k'.repeat(KEY_BYTES_MAX), '1'),
      put('vectors', '😀'.repeat(KEY_BYTES_MAX / 4), '2'),
      put('m'.repeat(MAP_BYTES_MAX), 'k', '3'),
      put('%/😀', 'k', '4', { ttlMs: 3_600_000n }),
    ].map((record) => ({ ...record, ...SAFE }));
    const before = new Map<OperationInit, bigint>();
    for (const record of records) {
      const [written] = await client.operate(record);
      t.match(written, { outcome: Code.APPLIED, level: Level.DATABASE });
      before.set(record, written.stamp);
    }
    const { epoch } = client;
    await server.restart();
    const after = await connected(t);
    t.equal(after.epoch, epoch + 1n, 'a start takes the next epoch');
    for (const record of records) {
      const [found] = await after.operate(get(record.map ?? '', record.key ?? ''));
      const name = `${record.map?.slice(0, 10)}/${record.key?.slice(0, 20)}`;
      t.match(found, { outcome: Code.FOUND, stamp: before.get(record) }, name);
      t.ok(Buffer.from(record.value ?? []).equals(found.value), `${name} is the same`);
      t.equal(found.valueKind, record.valueKind ?? ValueKind.JSON);
      if (record.ttlMs) t.equal(found.expiresAtMs, (found.stamp >> 16n) + BigInt(record.ttlMs));
    }
    const sql = await server.sql();
    const [{ count }] = await sql`SELECT count(*)::int FROM tidewire.dead_letter`;
    t.equal(count, 0);
  },
);

t.test(
  'WB-35: removals and their stamps outlive kill -9: an older write stays superseded',
  async (t) => {
    const client = await connected(t);
    const [gone] = await client.operate(remove('safe', 'removed', SAFE));
    await server.restart();
    const after = await connected(t);
    const [read, stale] = await after.operate(
      get('safe', 'removed'),
      put('safe', 'removed', '1', { stamp: gone.stamp - 1n }),
    );
    t.match([read.outcome, stale.outcome], [Code.ABSENT, Code.SUPERSEDED]);
  },
);

t.test(
  'TIME-4: after kill -9 and start the server stamps above everything it had shown',
  async (t) => {
    const client = await connected(t);
    const ahead = stampFromNow(4000);
    const [written] = await client.operate(put('op', 'ahead', '1', { ...SAFE, stamp: ahead }));
    await client.ping(stampFromNow(4900)); // merged, and in no table
    const shown = client.clock;
    await server.restart();
    const after = await connected(t);
    t.ok(after.clock > shown, 'the clock');
    const [next] = await after.operate(put('op', 'ahead', '2'));
    t.match([written.outcome, next.outcome], [Code.APPLIED, Code.APPLIED]);
    t.ok(next.stamp > ahead);
  },
);

t.test(
  'WB-36: while the database is away FAST goes on and counts as dirty; SAFE waits',
  async (t) => {
    await server.destroyDatabase();
    const client = await connected(t);
    const results = await client.operate(put('away', 'a', '1'), get('away', 'a'));
    t.match(results, [{ outcome: Code.APPLIED }, { outcome: Code.FOUND }]);
    await server.until(({ database, dirty }) => database === 'down' && dirty > 0);
    const [late] = await client.operate(put('away', 'b', '1', SAFE));
    t.match(late, {
      outcome: Code.APPLIED,
      refusal: Code.NOT_YET_DURABLE,
      level: Level.MEMORY,
    });
  },
);

async function connected(t: { teardown: (action: () => void) => unknown }): Promise<RawClient> {
  const client = await RawClient.connect(server.url);
  t.teardown(() => client.close());
  return client;
}
