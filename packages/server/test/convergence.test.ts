import assert from 'node:assert/strict';
import { Code, Level } from '@tidewire/schemas';
import fc from 'fast-check';
import t from 'tap';
import { get, put, remove, SAFE, stampFromNow, textOf } from './operations.js';
import { type OperationInit, RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';
import { SEED, SeededRandom } from './seeded-random.js';

const RUNS = 30;
const WRITES_MAX = 40;
const COPIES_MAX = 3;
const CONNECTIONS = 4;
const KEYS = ['a', 'b', 'ä'];
/** A write is seconds old, so that a short life is over and a long one is not. */
const AGE_MS = 10_000;
const LIVES_MS = [0n, 1n, 3_600_000n];

interface Write {
  readonly key: string;
  readonly age: number;
  readonly counter: number;
  readonly node: number;
  readonly value: string | undefined;
  readonly life: number;
}

/** Few keys, stamps, nodes and values, so that every kind of tie comes up. */
const Writes: fc.Arbitrary<Write[]> = fc.array(
  fc.record({
    key: fc.constantFrom(...KEYS),
    age: fc.nat(2),
    counter: fc.nat(1),
    node: fc.integer({ min: 1, max: 2 }),
    value: fc.option(fc.constantFrom('1', '"x"', '"xy"', ''), { nil: undefined }),
    life: fc.nat(LIVES_MS.length - 1),
  }),
  { minLength: 1, maxLength: WRITES_MAX },
);

const server = await RunningServer.start(t);
const sql = await server.sql();
const clients = await Promise.all(
  Array.from({ length: CONNECTIONS }, (_, i) => RawClient.connect(server.url, i + 1)),
);
t.teardown(() => {
  for (const client of clients) client.close();
});

t.test(
  `OP-10: any order of delivery ends in one state, in memory and in the table (seed ${SEED})`,
  async (t) => {
    let run = 0;
    const property = fc.asyncProperty(Writes, fc.nat(), async (writes, order) => {
      const base = stampFromNow(-AGE_MS);
      const maps = ['in-order', 'shuffled', 'reversed'].map((name) => `${name}-${++run}`);
      const random = new SeededRandom(SEED ^ order);
      const copies = writes.flatMap((write) => Array(1 + random.below(COPIES_MAX)).fill(write));
      const orders = [writes, random.shuffled(copies as Write[]), writes.toReversed()];
      for (const [i, map] of maps.entries()) await deliver(map, orders[i], base);
      const states = await Promise.all(maps.map((map) => stateOf(map, writes, base)));
      assert.deepEqual(states[1], states[0]);
      assert.deepEqual(states[2], states[0]);
    });
    const details = await fc.check(property, { seed: SEED, numRuns: RUNS });
    t.notOk(details.failed, fc.defaultReportMessage(details) ?? `${RUNS} histories converge`);
  },
);

/** Every connection sends its share without waiting for the others. */
async function deliver(map: string, writes: readonly Write[], base: bigint): Promise<void> {
  const answers = writes.map((write, i) => {
    const operation = operationOf(map, write, base);
    return clients[i % CONNECTIONS].operate(operation);
  });
  for (const [{ outcome, refusal }] of await Promise.all(answers)) {
    assert.equal(refusal, 0);
    assert.ok(outcome >= Code.APPLIED && outcome <= Code.DUPLICATE);
  }
}

function operationOf(map: string, write: Write, base: bigint, more = {}): OperationInit {
  const stamp = base + (BigInt(write.age) << 16n) + BigInt(write.counter);
  const fields = { stamp, node: write.node, ...more };
  if (write.value === undefined) return remove(map, write.key, fields);
  return put(map, write.key, write.value, { ...fields, ttlMs: LIVES_MS[write.life] });
}

/** What gets answer, and what the table holds once a SAFE repetition of all has been answered. */
async function stateOf(map: string, writes: readonly Write[], base: bigint): Promise<unknown> {
  const [client] = clients;
  const found = await client.operate(...KEYS.map((key) => get(map, key)));
  const memory = found.map(({ outcome, stamp, node, value, expiresAtMs }) =>
    outcome === Code.FOUND
      ? [
          String(stamp - base),
          node,
          textOf(value),
          String(expiresAtMs && expiresAtMs - (base >> 16n)),
        ]
      : 'absent',
  );
  const again = await client.operate(...writes.map((each) => operationOf(map, each, base, SAFE)));
  for (const { outcome, level } of again) {
    assert.ok(outcome === Code.DUPLICATE || outcome === Code.SUPERSEDED);
    assert.equal(level, Level.DATABASE);
  }
  const table = await sql`
    SELECT key, convert_from(value, 'UTF8') AS value, kind, (hlc - ${String(base)}::int8)::int AS hlc,
      node, (expires_at - ${String(base >> 16n)}::int8)::int AS expires_at, deleted
    FROM tidewire.record WHERE map = ${map} ORDER BY key`;
  return { memory, table: table.map((row) => ({ ...row })) };
}
