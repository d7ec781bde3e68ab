import { SESSION_HARD_BYTES } from '@tidewire/core';
import { Code, StartFrom } from '@tidewire/schemas';
import t from 'tap';
import { put } from './operations.js';
import { RawClient } from './raw-client.js';
import { RunningServer } from './running-server.js';

const VALUE_BYTES = 32_000;
/** Kernel buffers of both ends come on top of the server's own. */
const WRITES = Math.ceil((4 * SESSION_HARD_BYTES) / VALUE_BYTES);
const VALUE = new Uint8Array(VALUE_BYTES);

const server = await RunningServer.start(t);

t.test(
  'SUB-5: a subscriber that does not read is caught up once it does; others hear everything',
  async (t) => {
    const [writer, reader, slow] = await Promise.all([
      RawClient.connect(server.url, 1),
      RawClient.connect(server.url, 2),
      RawClient.connect(server.url, 3),
    ]);
    t.teardown(() => [writer, reader, slow].map((client) => client.close()));
    await Promise.all([reader.subscribe('flood'), slow.subscribe('flood')]);
    slow.socket.pause();
    for (let i = 0; i < WRITES; i++) {
      const [result] = await writer.operate(put('flood', `k${i}`, VALUE));
      t.equal(result.outcome, Code.APPLIED);
    }
    await writer.operate(put('flood', 'end', '1'));
    await reader.until(() => reader.events.at(-1)?.key === 'end');
    t.equal(reader.events.length, WRITES + 1);
    await server.until(({ lagging }) => lagging === 1);
    slow.socket.resume();
    await slow.until(() => slow.caughtUp === 1);
    t.same(slow.lags, [true, false]);
    const live = slow.events.map(({ key }) => key);
    t.same(
      live,
      live.map((_, i) => `k${i}`),
      'what it got before has no gap',
    );
    const missed = slow.slices.flatMap(({ events }) => events.map(({ key }) => key));
    t.equal(missed.length, new Set(missed).size, 'every key it missed comes once');
    t.equal(new Set([...live, ...missed]).size, WRITES + 1);
    t.equal((await server.info()).connections, 3);
  },
);

t.test('SUB-6: one that goes on not reading is sent nothing more, whatever happens', async (t) => {
  const [writer, slow] = await Promise.all([
    RawClient.connect(server.url, 1),
    RawClient.connect(server.url, 3),
  ]);
  t.teardown(() => [writer, slow].map((client) => client.close()));
  await slow.subscribe('flood');
  slow.socket.pause();
  for (let i = 0; i < 2 * WRITES; i++) await writer.operate(put('flood', `k${i % 7}`, VALUE));
  await server.until(({ lagging, connections }) => lagging === 1 && connections === 2);
  slow.close();
  await server.until(({ lagging, connections }) => lagging === 0 && connections === 1);
  t.pass('its place is free');
});

t.test('SUB-48: a cursor is honoured by the next process on the same database', async (t) => {
  const writer = await RawClient.connect(server.url, 1);
  const client = await RawClient.connect(server.url, 2);
  const subscribe = (of: RawClient, start: StartFrom): void =>
    of.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'kept', start } });
  for (let i = 0; i < 20; i++) await writer.operate(put('kept', `k${i}`, '1'));
  subscribe(client, StartFrom.SNAPSHOT);
  await client.until(() => client.progress !== undefined && client.caughtUp === 1);
  const { store, epoch } = client.welcome!;
  await server.until(({ dirty }) => dirty === 0);
  await server.restart();
  const later = await RawClient.open(server.url);
  t.teardown(() => later.close());
  const cursor = { store, epoch, delivered: client.progress!.delivered };
  later.say({ case: 'hello', value: { protocolVersion: 1, node: 2, cursor } });
  subscribe(later, StartFrom.RESUME);
  await later.until(() => later.progress !== undefined);
  t.same(later.errors, []);
  t.equal(later.caughtUp, 1);
  t.equal(later.progress!.epoch, epoch + 1n);
  const told = new Map(later.progress!.delivered.map((entry) => [entry.partition, entry.sequence]));
  for (const { partition, sequence } of client.progress!.delivered)
    t.ok((told.get(partition) ?? 0n) >= sequence);
  const other = await RawClient.open(server.url);
  t.teardown(() => other.close());
  const foreign = { ...cursor, store: store ^ 1n };
  other.say({ case: 'hello', value: { protocolVersion: 1, node: 3, cursor: foreign } });
  subscribe(other, StartFrom.RESUME);
  await other.until(() => other.errors.length > 0);
  t.match(other.errors[0], { code: Code.INVALID, subscriptionId: 1, detail: /store/ });
});
