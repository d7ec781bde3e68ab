import { Code } from '@tidewire/schemas';
import t from 'tap';
import { get, put, remove, SAFE, textOf } from './operations.js';
import { OutageDatabase } from './outage-database.js';
import { type OperationInit, RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const MEMORY = '16M';
/** Operations in a frame. */
const FRAME = 80;
const PADDING = 'x'.repeat(600);

const database = await OutageDatabase.start(t);
const server = await RunningServer.start(t, {
  args: ['--database-url', database.url, '--workers', '1', '--memory', MEMORY],
});

/** Keys whose write was acknowledged. */
const taken: string[] = [];

t.test(
  'OUTAGE-7: the database away and memory full: new keys are OVERLOADED, reads go on',
  async (t) => {
    database.proxy.cut();
    const client = await connected(t);
    const refused = await fill(client);
    t.match(await client.operate(put('m', 'safe', '1', SAFE)), [
      { outcome: 0, refusal: Code.OVERLOADED },
    ]);
    const info = await server.info();
    t.equal(info.records, taken.length, 'what was refused is not there');
    t.match(await client.operate(get('m', refused), get('m', 'safe')), [
      { outcome: Code.ABSENT },
      { outcome: Code.ABSENT },
    ]);
    const again = await client.operate(...taken.slice(0, FRAME).map(putOf));
    t.ok(
      again.every(({ outcome }) => outcome === Code.APPLIED),
      'overwrites go on',
    );
    const removed = taken.splice(0, FRAME);
    const removals = await client.operate(...removed.map((key) => remove('m', key)));
    t.ok(
      removals.every(({ outcome }) => outcome === Code.APPLIED),
      'removes go on',
    );
    t.same(await wrongIn(client), []);
    const other = await connected(t);
    t.match(await other.operate(get('m', taken[0])), [{ outcome: Code.FOUND }], 'it lives');
  },
);

t.test('OUTAGE-8: all that filled it reaches the table once the database is back', async (t) => {
  database.proxy.heal();
  await server.until(({ dirty, database }) => dirty === 0 && database === 'up');
  const rows = await database.sql()`SELECT key, value FROM tidewire.record
    WHERE map = 'm' AND NOT deleted`;
  t.equal(rows.length, taken.length);
  t.ok(rows.every(({ key, value }) => textOf(value) === valueTextOf(key)));
});

t.test('OUTAGE-9: a full memory starts again after kill -9, with every record', async (t) => {
  await server.restart();
  const client = await connected(t);
  t.same(await wrongIn(client), []);
  const [{ refusal }] = await client.operate(put('m', 'k'.repeat(100), valueTextOf('new')));
  t.ok(refusal === 0 || refusal === Code.OVERLOADED, 'and it goes on to answer');
});

/** Writes new keys until one is refused; resolves with that one. */
async function fill(client: RawClient): Promise<string> {
  for (let frame = 0; ; frame++) {
    const keys = Array.from({ length: FRAME }, (_, i) => `k${frame * FRAME + i}`);
    const results = await client.operate(...keys.map(putOf));
    for (const [i, { outcome, refusal }] of results.entries()) {
      if (outcome === Code.APPLIED) taken.push(keys[i]);
      else if (refusal !== Code.OVERLOADED) throw new Error(`refusal ${refusal}`);
    }
    const refused = results.findLastIndex(({ refusal }) => refusal === Code.OVERLOADED);
    if (refused >= 0) return keys[refused];
  }
}

/** Acknowledged keys that do not read as written. */
async function wrongIn(client: RawClient): Promise<string[]> {
  const wrong: string[] = [];
  for (let at = 0; at < taken.length; at += FRAME) {
    const keys = taken.slice(at, at + FRAME);
    const found = await client.operate(...keys.map((key) => get('m', key)));
    wrong.push(...keys.filter((key, i) => textOf(found[i].value) !== valueTextOf(key)));
  }
  return wrong;
}

function putOf(key: string): OperationInit {
  return put('m', key, valueTextOf(key));
}

function valueTextOf(key: string): string {
  return `"${key} ${PADDING}"`;
}

async function connected(t: { teardown: (action: () => void) => unknown }): Promise<RawClient> {
  const client = await RawClient.connect(server.url);
  t.teardown(() => client.close());
  return client;
}
