import { closeCodeOf, SESSION_HARD_BYTES } from '@tidewire/core';
import { Code } from '@tidewire/schemas';
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
  'SUB-5: a subscriber that does not read is closed with SLOW_CONSUMER; others hear everything',
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
    slow.socket.resume();
    t.match(await slow.closed, { code: closeCodeOf(Code.SLOW_CONSUMER) });
    const keys = slow.events.map(({ key }) => key);
    t.ok(keys.length < WRITES);
    t.same(
      keys,
      keys.map((_, i) => `k${i}`),
      'what it got has no gap',
    );
  },
);

t.test('SUB-6: one that goes on not reading is shut out, and its memory is free', async (t) => {
  const [writer, slow] = await Promise.all([
    RawClient.connect(server.url, 1),
    RawClient.connect(server.url, 3),
  ]);
  t.teardown(() => [writer, slow].map((client) => client.close()));
  await slow.subscribe('flood');
  slow.socket.pause();
  for (let i = 0; i < WRITES; i++) await writer.operate(put('flood', `k${i}`, VALUE));
  await server.until(({ connections }) => connections === 1);
  t.pass('the server has ended the connection');
});
