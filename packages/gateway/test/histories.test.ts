import { toBinary } from '@bufbuild/protobuf';
import { JOURNAL_ENTRIES, PARTITIONS } from '@tidewire/core';
import { ServerFrameSchema, SliceKind, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import type { FakeClient } from './fake-transport.js';
import { put, remove, write } from './operations.js';
import { keysIn } from './partition-keys.js';
import { ReferenceClient, type Wish } from './reference-client.js';
import { MAP, wishOf } from './simulated-actions.js';
import { SimulatedServer } from './simulated-server.js';
import { sliceEventsOf, slicesOf, valuesOf } from './subscribers.js';

/** The histories that break naive cursors. All keys are of one partition, so that one cursor is meant. */
const PARTITION = 7;
const [A, B, C, D, GHOST, HOT] = keysIn(PARTITION, 6);
const MANY = keysIn(PARTITION, 26).slice(6);
const SNAPSHOT = { map: MAP, start: StartFrom.SNAPSHOT };
const SMALL_BYTES = 32;

const aged = (age: number, padding = 0): string =>
  JSON.stringify({ age, pad: 'x'.repeat(padding) });

/** A client of the whole map that holds what is there, and has been told so. */
function followed(server: SimulatedServer, wish: Wish = SNAPSHOT): ReferenceClient {
  const client = new ReferenceClient(server.bench, 9);
  client.follow(1, wish);
  server.bench.settle();
  server.bench.second();
  client.take();
  return client;
}

function say(server: SimulatedServer, ...operations: object[]): void {
  write(server.writer, ...operations);
  server.bench.settle();
}

function comeBack(client: ReferenceClient, server: SimulatedServer): void {
  client.connect(server.bench);
  server.bench.settle();
}

/** What its connection was told by PARTITION's slices: their kinds, once each. */
function sliceKindsOf(client: ReferenceClient): SliceKind[] {
  return [...new Set(slicesOf(client.connection).map(({ kind }) => kind))];
}

const deliveredOf = (client: ReferenceClient): bigint | undefined =>
  client.cursor?.delivered?.find(({ partition }) => partition === PARTITION)?.sequence;
const seenOf = (client: ReferenceClient): bigint | undefined =>
  client.cursor?.seen?.find(({ partition }) => partition === PARTITION)?.sequence;

t.test(
  'SUB-55: a client that has seen more than kill -9 left, its cursor below that, takes back what was lost',
  async (t) => {
    const server = new SimulatedServer(MAP, 2);
    say(server, put(A, '1'), put(B, '1'));
    const client = followed(server);
    say(server, put(A, 'kept'));
    server.flush();
    say(server, put(B, 'lost'), put(GHOST, 'lost'));
    t.same(valuesOf(client, 1), { [A]: 'kept', [B]: 'lost', [GHOST]: 'lost' });
    t.same([deliveredOf(client), seenOf(client)], [2n, 5n], 'base 3 lies between');
    client.disconnect();

    server.startAnew();
    say(server, put(C, 'other')); // by a sequence that the client has seen
    comeBack(client, server);
    t.same(valuesOf(client, 1), { [A]: 'kept', [B]: '1', [C]: 'other' });
    t.same(sliceKindsOf(client), [SliceKind.SNAPSHOT]);
    say(server, put(B, 'later'));
    t.same(valuesOf(client, 1), { [A]: 'kept', [B]: 'later', [C]: 'other' });
  },
);

t.test(
  'SUB-55: with the whole of what it saw in the database, it is sent what is newer and nothing else',
  async (t) => {
    const server = new SimulatedServer(MAP, 2);
    say(server, put(A, '1'), put(B, '1'));
    const client = followed(server);
    say(server, put(A, 'kept'));
    t.same(valuesOf(client, 1), { [A]: 'kept', [B]: '1' });
    client.disconnect();
    server.flush();
    say(server, put(B, 'lost'));
    server.startAnew();
    say(server, put(C, 'other'));
    comeBack(client, server);
    t.same(valuesOf(client, 1), { [A]: 'kept', [B]: '1', [C]: 'other' });
    t.same(sliceKindsOf(client), [SliceKind.CHANGES]);
  },
);

t.test('SUB-55: so does one that holds a key by a sequence that has come again', async (t) => {
  const server = new SimulatedServer(MAP, 2);
  say(server, put(A, '1'));
  server.flush();
  const client = followed(server, { ...SNAPSHOT, key: A });
  say(server, put(A, 'lost'));
  t.same(valuesOf(client, 1), { [A]: 'lost' });
  client.disconnect();
  server.startAnew();
  say(server, put(A, 'other'));
  comeBack(client, server);
  t.same(valuesOf(client, 1), { [A]: 'other' });
});

t.test(
  'SUB-56: sequences that come again after collected tombstones mean nothing to cursors from before',
  async (t) => {
    const server = new SimulatedServer(MAP, 2);
    say(server, put(A, '1'), put(GHOST, '1'));
    const [early, late] = [followed(server), followed(server)];
    early.disconnect();
    say(server, remove(A), remove(GHOST));
    server.passHours();
    t.equal(server.database.forgotten, 2, 'no row is left that says how far sequences had got');
    server.bench.second();
    say(server, put(B, 'lost'), put(C, 'lost'));
    t.same(valuesOf(late, 1), { [B]: 'lost', [C]: 'lost' });
    late.disconnect();

    server.startAnew();
    say(server, put(D, 'new'));
    t.equal(
      server.writer.results.at(-1)?.sequence,
      5n,
      'above the mark, as the change that was lost',
    );
    for (const client of [early, late]) {
      comeBack(client, server);
      t.same(valuesOf(client, 1), { [D]: 'new' });
      t.same(sliceKindsOf(client), [SliceKind.SNAPSHOT]);
    }
  },
);

t.test('SUB-57: a cursor older than a collected tombstone gets a SNAPSHOT', async (t) => {
  const server = new SimulatedServer(MAP, 2);
  say(server, put(A, '1'), put(GHOST, '1'));
  const client = followed(server);
  const other = followed(server, wishOf(overAge(18)).wish);
  client.disconnect();
  other.disconnect();
  say(server, remove(GHOST), put(B, aged(20)));
  server.passHours();
  comeBack(client, server);
  comeBack(other, server);
  t.same(valuesOf(client, 1), { [A]: '1', [B]: aged(20) });
  t.same(valuesOf(other, 1), { [B]: aged(20) });
  t.same([sliceKindsOf(client), sliceKindsOf(other)], [[SliceKind.SNAPSHOT], [SliceKind.SNAPSHOT]]);
});

t.test(
  'SUB-57: a cursor that comes to be older than a collected tombstone during its catch-up, too',
  async (t) => {
    const server = new SimulatedServer(MAP, 2);
    say(server, put(A, '1'), put(GHOST, '1'));
    const client = followed(server);
    client.disconnect();
    say(server, ...MANY.map((key) => put(key, aged(1, 9000))), remove(GHOST));
    const { connection } = stalledIn(client, server);
    t.same(sliceKindsOf(client), [SliceKind.CHANGES]);
    t.equal(valuesOf(client, 1)[GHOST], '1', 'its removal has not been sent');
    server.passHours();
    readOn(client, server);
    t.same(Object.keys(valuesOf(client, 1)).sort(), [A, ...MANY].sort());
    t.same(slicesOf(connection).at(-1)?.kind, SliceKind.SNAPSHOT);
    t.equal(connection.closedWith, undefined);
  },
);

t.test(
  'SUB-58: a quiet key costs nothing while others change, and one small frame to resume',
  async (t) => {
    const server = new SimulatedServer(MAP, 2);
    say(server, put(A, 'quiet'));
    const client = followed(server, { ...SNAPSHOT, key: A });
    const grown = (): object => ({
      cursor: client.cursor?.delivered?.length,
      seen: client.cursor?.seen?.length,
      counts: server.bench.gateway.subscriptionCounts,
      buffered: client.connection.buffered,
    });
    churn(server, JOURNAL_ENTRIES);
    client.take();
    const before = grown();
    const told = client.connection.frames.length;
    for (let i = 0; i < 3; i++) churn(server, JOURNAL_ENTRIES);
    client.take();
    t.same(grown(), before);
    const kinds = client.connection.frames.slice(told).map(({ body }) => body.case);
    t.same(kinds, ['progress', 'progress', 'progress'], 'one a second, and nothing else');

    client.disconnect();
    comeBack(client, server);
    t.same(valuesOf(client, 1), { [A]: 'quiet' });
    t.same(framesAfterSubscribed(client.connection), [
      { kind: 'catchUp', isSmall: true },
      { kind: 'progress', isSmall: true },
    ]);
    t.same(slicesOf(client.connection), []);
  },
);

t.test('SUB-58: so does a quiet map, whose partitions others change', async (t) => {
  const server = new SimulatedServer(MAP, 2);
  say(server, put(A, 'quiet', { map: 'still' }));
  const client = followed(server, { ...SNAPSHOT, map: 'still' });
  for (let i = 0; i < 3; i++) churn(server, JOURNAL_ENTRIES);
  client.take();
  t.ok((client.cursor?.delivered?.length ?? 0) <= PARTITIONS);
  client.disconnect();
  comeBack(client, server);
  t.same(valuesOf(client, 1), { [A]: 'quiet' });
  t.same(slicesOf(client.connection), []);
  t.same(framesAfterSubscribed(client.connection), [
    { kind: 'catchUp', isSmall: true },
    { kind: 'progress', isSmall: true },
  ]);
});

t.test(
  'SUB-59: a record that stopped matching while the client was away and changes again during the catch-up is forgotten',
  async (t) => {
    const server = new SimulatedServer(MAP, 2);
    say(server, put(A, aged(20)), put(GHOST, aged(20)));
    const client = followed(server, wishOf(overAge(18)).wish);
    t.same(valuesOf(client, 1), { [A]: aged(20), [GHOST]: aged(20) });
    client.disconnect();
    say(server, ...MANY.map((key) => put(key, aged(30, 9000))), put(GHOST, aged(10)));
    const { connection } = stalledIn(client, server);
    say(server, put(GHOST, aged(11))); // matches neither before nor after: no event
    readOn(client, server);
    t.same(Object.keys(valuesOf(client, 1)).sort(), [A, ...MANY].sort());
    t.same(connection.events, []);
    t.notOk(
      sliceEventsOf(connection).some(({ key }) => key === GHOST),
      'nor is it named',
    );
  },
);

function overAge(limit: number): Parameters<typeof wishOf>[0] {
  const { start } = SNAPSHOT;
  return { of: 'over', key: '', limit, start, withOld: false, maxHz: 0 };
}

/** Comes back, and stops reading in the middle of the catch-up. */
function stalledIn(client: ReferenceClient, server: SimulatedServer): ReferenceClient {
  client.connect(server.bench);
  client.connection.isStalled = true;
  server.bench.settle();
  client.connection.read(1);
  client.take();
  return client;
}

function readOn(client: ReferenceClient, server: SimulatedServer): void {
  client.connection.isStalled = false;
  client.connection.read();
  server.bench.settle();
  client.take();
}

/** So many changes of another key of the partition, and a second for all to be told of them. */
function churn(server: SimulatedServer, changes: number): void {
  for (let i = 0; i < changes; i += 512)
    say(server, ...Array.from({ length: 512 }, (_, j) => put(HOT, `${i + j}`)));
  server.bench.second();
}

function framesAfterSubscribed({ frames }: FakeClient): { kind: string; isSmall: boolean }[] {
  const from = frames.findIndex(({ body }) => body.case === 'subscribed');
  return frames.slice(from + 1).map((frame) => ({
    kind: frame.body.case as string,
    isSmall: toBinary(ServerFrameSchema, frame).length <= SMALL_BYTES,
  }));
}
