import {
  Code,
  PRESENCE_GRACE_MS,
  PRESENCE_RECORDS_MAX,
  PRESENCE_RECORDS_TOTAL_MAX,
} from '@tidewire/core';
import { EventKind, OperationKind } from '@tidewire/schemas';
import t from 'tap';
import { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { put, remove, write } from './operations.js';

const TOKEN = new Uint8Array(16).fill(5);
const here = { whileConnected: true };

/** A client that has said Hello with a resume token. */
function resuming(bench: TestBench, resumeToken = TOKEN): FakeClient {
  const client = bench.stranger();
  client.say({ case: 'hello', value: { protocolVersion: 1, node: 7, resumeToken } });
  return client;
}

/** The value of a key of `users`, or why there is none. */
function read(bench: TestBench, key: string): string {
  const reader = bench.client(9);
  write(reader, { requestId: 1, kind: OperationKind.GET, map: 'users', key });
  bench.settle();
  const [result] = reader.results;
  reader.close(1000);
  return result.outcome === Code.FOUND
    ? Buffer.from(result.value).toString()
    : Code[result.refusal || result.outcome];
}

function later(bench: TestBench, ms: number): void {
  bench.nowMs += ms;
  bench.settle();
}

t.test('LIFE-30: what a client has put while it is connected goes a grace time after it', (t) => {
  const bench = new TestBench({ workers: 2 });
  const watcher = bench.client(3);
  watcher.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
  const client = bench.client(7);
  write(client, put('ann', '1', here), put('bob', '2', here), put('stays', '3'));
  bench.settle();
  later(bench, 10 * PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), '1', 'however long it stays');
  client.close(1006);
  later(bench, PRESENCE_GRACE_MS - 1);
  t.equal(read(bench, 'ann'), '1');
  later(bench, 1);
  t.equal(read(bench, 'ann'), 'ABSENT');
  t.equal(read(bench, 'bob'), 'ABSENT');
  t.equal(read(bench, 'stays'), '3');
  const removed = watcher.events.filter(({ kind }) => kind === EventKind.REMOVE);
  t.same(removed.map(({ key }) => key).sort(), ['ann', 'bob'], 'watchers hear of it');
  t.end();
});

t.test('LIFE-31: a connection that resumes in time keeps it, and takes it along', (t) => {
  const bench = new TestBench();
  const first = resuming(bench);
  t.equal(first.last('welcome')?.holdsPresence, false);
  write(first, put('ann', '1', here));
  bench.settle();
  first.close(1006);
  later(bench, PRESENCE_GRACE_MS - 1);
  const other = resuming(bench, new Uint8Array(16).fill(6));
  t.equal(other.last('welcome')?.holdsPresence, false, 'nobody else does');
  const second = resuming(bench);
  t.equal(second.last('welcome')?.holdsPresence, true);
  later(bench, 10 * PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), '1');
  second.close(1006);
  later(bench, PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), 'ABSENT');
  const third = resuming(bench);
  t.equal(third.last('welcome')?.holdsPresence, false, 'too late');
  t.end();
});

t.test('LIFE-31: a later connection takes it from an earlier one that has not ended yet', (t) => {
  const bench = new TestBench();
  const first = resuming(bench);
  write(first, put('ann', '1', here));
  bench.settle();
  const second = resuming(bench);
  t.equal(second.last('welcome')?.holdsPresence, true);
  t.not(first.closedWith, undefined);
  later(bench, 2 * PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), '1');
  t.end();
});

t.test('LIFE-32: what somebody else has written over it stays', (t) => {
  const bench = new TestBench();
  const client = bench.client(7);
  write(client, put('ann', '1', here), put('bob', '1', here), put('cat', '1', here));
  bench.settle();
  client.close(1006);
  const other = bench.client(8);
  write(other, put('ann', '2'), remove('bob'));
  write(other, put('bob', '3'), put('cat', '4', here));
  later(bench, PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), '2');
  t.equal(read(bench, 'bob'), '3');
  t.equal(read(bench, 'cat'), '4', 'the presence of another client');
  other.close(1006);
  later(bench, PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), '2');
  t.equal(read(bench, 'cat'), 'ABSENT');
  t.end();
});

t.test('LIFE-32: so does what the client has put again without resuming', (t) => {
  const bench = new TestBench();
  const first = bench.client(7);
  write(first, put('ann', '1', here));
  bench.settle();
  first.close(1006);
  const second = bench.client(7);
  write(second, put('ann', '2', here));
  later(bench, 10 * PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), '2');
  second.close(1006);
  later(bench, PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), 'ABSENT');
  t.end();
});

t.test('LIFE-33: the client itself may put it again, for good, or remove it', (t) => {
  const bench = new TestBench();
  const client = bench.client(7);
  write(client, put('again', '1', here), put('for good', '1', here), put('gone', '1', here));
  bench.settle();
  write(client, put('again', '2', here), put('for good', '2'), remove('gone'));
  bench.settle();
  t.equal(read(bench, 'again'), '2');
  t.equal(read(bench, 'for good'), '2');
  client.close(1006);
  later(bench, PRESENCE_GRACE_MS);
  t.equal(read(bench, 'again'), 'ABSENT');
  t.equal(read(bench, 'for good'), '2');
  t.equal(read(bench, 'gone'), 'ABSENT');
  t.end();
});

t.test('LIFE-33: a put that was refused or too late ends nothing of others', (t) => {
  const bench = new TestBench();
  const other = bench.client(8);
  write(other, put('ann', 'theirs'));
  bench.settle();
  const client = bench.client(7);
  const stamp = BigInt(bench.nowMs - 5000) << 16n;
  write(client, put('ann', 'mine', { ...here, stamp }));
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.SUPERSEDED });
  client.close(1006);
  later(bench, PRESENCE_GRACE_MS);
  t.equal(read(bench, 'ann'), 'theirs');
  t.end();
});

t.test('LIFE-34: it goes although its worker dies in between', (t) => {
  const bench = new TestBench();
  const client = bench.client(7);
  write(client, put('ann', '1', here));
  bench.settle();
  client.close(1006);
  bench.nowMs += PRESENCE_GRACE_MS;
  bench.gateway.doWork();
  bench.startWorker(0);
  bench.settle();
  t.equal(read(bench, 'ann'), 'ABSENT');
  t.end();
});

t.test('LIFE-35: only a plain put of the client’s own may be bound to its connection', (t) => {
  const bench = new TestBench();
  const client = bench.client(7);
  const refusals = [
    { ...remove('k'), ...here },
    { requestId: 2, kind: OperationKind.GET, map: 'users', key: 'k', ...here },
    put('k', '1', { ...here, ifAbsent: true }),
    put('k', '1', { ...here, kind: OperationKind.INCREMENT }),
    put('k', '1', { ...here, stamp: BigInt(bench.nowMs) << 16n, node: 8 }),
  ];
  for (const operation of refusals) {
    write(client, operation);
    bench.settle();
    t.match(client.results.at(-1), { refusal: Code.INVALID });
  }
  write(client, put('k', '1', { ...here, stamp: BigInt(bench.nowMs) << 16n, node: 7 }));
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.APPLIED });
  t.end();
});

t.test('LIFE-36: a session holds so many and no more', (t) => {
  t.ok(PRESENCE_RECORDS_TOTAL_MAX > PRESENCE_RECORDS_MAX);
  const bench = new TestBench();
  const client = bench.client(7);
  for (let i = 0; i < PRESENCE_RECORDS_MAX; i++) write(client, put(`k${i}`, '1', here));
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.APPLIED });
  write(client, put('one more', '1', here));
  bench.settle();
  t.match(client.results.at(-1), { refusal: Code.TOO_LARGE });
  write(client, put('k3', '2', here), put('plain', '1'));
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.APPLIED }, 'one of those again');
  write(client, remove('k4'));
  write(client, put('one more', '1', here));
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.APPLIED }, 'one in place of another');
  client.close(1006);
  later(bench, PRESENCE_GRACE_MS);
  for (const key of ['k0', 'k3', 'one more']) t.equal(read(bench, key), 'ABSENT');
  t.end();
});

t.test('LIFE-40: a put without a lifetime gets the default one of its map', (t) => {
  const bench = new TestBench({ mapTtls: new Map([['users', 60_000]]) });
  const client = bench.client(7);
  write(client, put('ann', '1'), put('bob', '1', { ttlMs: 5000n }));
  write(client, put('ann', '1', { map: 'others' }));
  bench.settle();
  later(bench, 5000);
  t.equal(read(bench, 'ann'), '1');
  t.equal(read(bench, 'bob'), 'ABSENT', 'its own goes before');
  later(bench, 54_999);
  t.equal(read(bench, 'ann'), '1');
  later(bench, 1);
  t.equal(read(bench, 'ann'), 'ABSENT');
  write(client, { requestId: 1, kind: OperationKind.GET, map: 'others', key: 'ann' });
  bench.settle();
  t.match(client.results.at(-1), { outcome: Code.FOUND });
  t.end();
});
