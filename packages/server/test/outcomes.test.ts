import { CODE_SENTENCES, DRIFT_MS_MAX, packStamp, unpackStamp } from '@tidewire/core';
import { Code, EventKind, Level } from '@tidewire/schemas';
import t from 'tap';
import { get, put, remove, stampFromNow, textOf } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const YEAR_2100_MS = Date.UTC(2100, 0, 1);
const SECOND_MS = 1000;

const server = await RunningServer.start(t);
const client = await RawClient.connect(server.url, 7);
t.teardown(() => client.close());

t.test('OP-2: a write is APPLIED and a get finds it, stamp, node and kind included', async (t) => {
  const stamp = stampFromNow(-SECOND_MS);
  const [written, found] = await client.operate(
    put('op', 'a', '{"n":1}', { stamp, node: 9 }),
    get('op', 'a'),
  );
  t.match(written, { outcome: Code.APPLIED, refusal: 0, level: Level.MEMORY, stamp, node: 9 });
  t.match(found, { outcome: Code.FOUND, stamp, node: 9, sequence: written.sequence });
  t.equal(textOf(found.value), '{"n":1}');
});

t.test(
  'OP-3: what has no value reads ABSENT: never written, removed, or another map',
  async (t) => {
    await client.operate(put('op', 'gone', '1'), remove('op', 'gone'));
    const results = await client.operate(
      get('op', 'never'),
      get('op', 'gone'),
      get('no such map', 'gone'),
    );
    for (const result of results) t.match(result, { outcome: Code.ABSENT, refusal: 0 });
  },
);

t.test(
  'OP-4: a stale write is SUPERSEDED, with the winner, and its value only if asked',
  async (t) => {
    const newer = stampFromNow(-SECOND_MS);
    const older = stampFromNow(-2 * SECOND_MS);
    await client.operate(put('op', 'raced', '"winner"', { stamp: newer, node: 3 }));
    const [plain, asked, removal, found] = await client.operate(
      put('op', 'raced', '"loser"', { stamp: older }),
      put('op', 'raced', '"loser"', { stamp: older, returnWinner: true }),
      remove('op', 'raced', { stamp: older }),
      get('op', 'raced'),
    );
    for (const result of [plain, asked, removal])
      t.match(result, { outcome: Code.SUPERSEDED, refusal: 0, stamp: newer, node: 3 });
    t.equal(plain.value.length, 0);
    t.equal(textOf(asked.value), '"winner"');
    t.equal(textOf(found.value), '"winner"');
  },
);

t.test('OP-5: the same write again is a DUPLICATE and changes nothing', async (t) => {
  const stamp = stampFromNow(-SECOND_MS);
  const write = put('op', 'twice', '2', { stamp });
  const gone = remove('op', 'gone twice', { stamp });
  const [first, again, removed, removedAgain] = await client.operate(write, write, gone, gone);
  t.match([first.outcome, again.outcome], [Code.APPLIED, Code.DUPLICATE]);
  t.match([removed.outcome, removedAgain.outcome], [Code.APPLIED, Code.DUPLICATE]);
  t.equal(again.sequence, first.sequence);
  t.equal(again.stamp, stamp);
});

t.test('OP-6: at one stamp and node a removal wins, then the larger bytes', async (t) => {
  const stamp = stampFromNow(-SECOND_MS);
  const outcomes = await client.operate(
    put('op', 'tie', '"a"', { stamp }),
    put('op', 'tie', '"b"', { stamp }),
    put('op', 'tie', '"a"', { stamp }),
    remove('op', 'tie', { stamp }),
    put('op', 'tie', '"z"', { stamp }),
  );
  t.same(
    outcomes.map(({ outcome }) => outcome),
    [Code.APPLIED, Code.APPLIED, Code.SUPERSEDED, Code.APPLIED, Code.SUPERSEDED],
  );
});

t.test('OP-7: a write without a stamp gets one of the server, above all it has seen', async (t) => {
  const ahead = stampFromNow(DRIFT_MS_MAX / 2);
  const [, first, second, read] = await client.operate(
    put('op', 'stamped', '1', { stamp: ahead }),
    put('op', 'stamped', '2'),
    put('op', 'stamped', '3'),
    get('op', 'stamped'),
  );
  t.ok(first.stamp > ahead && second.stamp > first.stamp);
  t.match([first.outcome, second.outcome], [Code.APPLIED, Code.APPLIED]);
  t.not(first.node, 7);
  t.equal(textOf(read.value), '3');
  t.ok(client.clock >= second.stamp, 'frames show a clock above it');
});

t.test(
  'OP-8: an expired value reads ABSENT, one with time left is FOUND with its expiry',
  async (t) => {
    const stamp = stampFromNow(-10 * SECOND_MS);
    const [, expired, , alive] = await client.operate(
      put('op', 'short', '1', { stamp, ttlMs: 5000n }),
      get('op', 'short'),
      put('op', 'long', '1', { stamp, ttlMs: 3_600_000n }),
      get('op', 'long'),
    );
    t.match(expired, { outcome: Code.ABSENT });
    t.equal(expired.value.length, 0);
    t.match(alive, { outcome: Code.FOUND });
    t.equal(alive.expiresAtMs, (stamp >> 16n) + 3_600_000n);
  },
);

t.test('OP-9: an expired record still supersedes an older write', async (t) => {
  const stamp = stampFromNow(-10 * SECOND_MS);
  const [, older, newer] = await client.operate(
    put('op', 'expired', '1', { stamp, ttlMs: 1n }),
    put('op', 'expired', '0', { stamp: stamp - 1n, returnWinner: true }),
    put('op', 'expired', '2', { stamp: stamp + 1n }),
  );
  t.match(older, { outcome: Code.SUPERSEDED, stamp });
  t.equal(older.value.length, 0, 'its value is not readable any more');
  t.match(newer, { outcome: Code.APPLIED });
});

t.test('SUB-2: a stale, repeated or refused write is not broadcast', async (t) => {
  const watcher = await RawClient.connect(server.url, 8);
  t.teardown(() => watcher.close());
  await watcher.subscribe('quiet');
  const stamp = stampFromNow(-SECOND_MS);
  await client.operate(
    put('quiet', 'k', '1', { stamp }),
    put('quiet', 'k', '1', { stamp }),
    put('quiet', 'k', '0', { stamp: stamp - 1n }),
    remove('quiet', 'k', { stamp: stamp - 1n }),
    put('quiet', 'k', '0', { stamp: packStamp(YEAR_2100_MS, 0) }),
    put('quiet', '', '0'),
    remove('quiet', 'k', { stamp: stamp + 1n }),
    put('quiet', 'end', '1'),
  );
  await watcher.until(() => watcher.events.some(({ key }) => key === 'end'));
  t.match(watcher.events, [
    { kind: EventKind.PUT, key: 'k', stamp },
    { kind: EventKind.REMOVE, key: 'k', stamp: stamp + 1n },
    { kind: EventKind.PUT, key: 'end' },
  ]);
});

t.test(
  'SUB-3: an event carries the record: value, kind, stamp, node, expiry and sequence',
  async (t) => {
    await client.subscribe('told', 'k');
    const stamp = stampFromNow(-SECOND_MS);
    const write = put('told', 'k', Uint8Array.of(0, 255), { stamp, node: 5, ttlMs: 100_000n });
    const [written] = await client
      .operate(put('told', 'other', '1'), write)
      .then((r) => r.slice(1));
    await client.until(() => client.events.length > 0);
    const [event] = client.events;
    const { partition, sequence } = written;
    t.match(event, { kind: EventKind.PUT, key: 'k', stamp, node: 5, partition, sequence });
    t.same([...event.value], [0, 255]);
    t.equal(event.expiresAtMs, (stamp >> 16n) + 100_000n);
    t.equal(client.events.length, 1, 'and nothing of another key');
  },
);

t.test(
  'TIME-1: a stamp of the year 2100 is refused as CLOCK_DRIFT and moves no clock',
  async (t) => {
    const far = packStamp(YEAR_2100_MS, 0);
    const [write, removal, read] = await client.operate(
      put('op', 'future', '1', { stamp: far }),
      remove('op', 'future', { stamp: far }),
      get('op', 'future'),
    );
    t.match([write.refusal, removal.refusal], [Code.CLOCK_DRIFT, Code.CLOCK_DRIFT]);
    t.match([write.outcome, read.outcome], [0, Code.ABSENT]);
    isNearNow(t, client.clock);
    const [next] = await client.operate(put('op', 'future', '1'));
    isNearNow(t, next.stamp);
  },
);

t.test(
  'TIME-2: a frame clock of the year 2100 is answered CLOCK_DRIFT and moves no clock',
  async (t) => {
    const stranger = await RawClient.connect(server.url, 11);
    t.teardown(() => stranger.close());
    await stranger.ping(packStamp(YEAR_2100_MS, 0));
    t.match(stranger.errors, [
      { code: Code.CLOCK_DRIFT, detail: CODE_SENTENCES[Code.CLOCK_DRIFT] },
    ]);
    isNearNow(t, stranger.clock);
    const [result] = await stranger.operate(put('op', 'k', '1'));
    t.match(result, { outcome: Code.APPLIED }, 'the connection goes on');
  },
);

t.test('TIME-3: an accepted frame clock is merged: the server is never behind it', async (t) => {
  const ahead = stampFromNow(DRIFT_MS_MAX / 2, 500);
  await client.ping(ahead);
  t.ok(client.clock > ahead);
});

function isNearNow(t: Tap, stamp: bigint): void {
  const { ms } = unpackStamp(stamp);
  t.ok(ms <= Date.now() + DRIFT_MS_MAX + SECOND_MS, `${ms} is not far ahead`);
}

type Tap = Pick<typeof t, 'ok'>;
