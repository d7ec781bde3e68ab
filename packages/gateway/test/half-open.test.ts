import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  Code,
  PRESENCE_GRACE_MS,
  SESSION_HARD_BYTES,
  STRANGER_BYTES_MAX,
  TRANSPORT_FRAME_BYTES_MAX,
} from '@tidewire/core';
import {
  ClientFrameSchema,
  EventKind,
  OperationKind,
  type ServerFrame,
  ServerFrameSchema,
} from '@tidewire/schemas';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { createTransport, type TransportName } from '#lib/transport/create-transport.js';
import { uwsMissing } from '#lib/transport/uws-transport.js';
import { TestBench } from './bench.js';
import { put, write } from './operations.js';
import { Opcode, RawSocket } from './raw-socket.js';

/** The shortest idle timeout that each transport has. */
const IDLE_MS: Readonly<Record<TransportName, number>> = { ws: 1000, uws: 8000 };
const missing = await uwsMissing();

/** Frames of a client of that node which puts a key while it is connected. */
function hereFrames(node: number, key: string): Uint8Array[] {
  const operations = [put(key, '1', { whileConnected: true })];
  const bodies = [
    { case: 'hello', value: { protocolVersion: 1, node } },
    { case: 'operations', value: { operations } },
  ] as const;
  return bodies.map((body) => toBinary(ClientFrameSchema, create(ClientFrameSchema, { body })));
}

function isApplied(bytes: Uint8Array): boolean {
  const { body }: ServerFrame = fromBinary(ServerFrameSchema, bytes);
  return body.case === 'results' && body.value.results[0].outcome === Code.APPLIED;
}

/** The gateway and its workers go on, stepped by hand, until it is so. */
async function until(bench: TestBench, condition: () => boolean): Promise<void> {
  while (!condition()) {
    bench.settle();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function served(t: Test, name: TransportName, bench: TestBench): Promise<number> {
  const transport = await createTransport(
    name,
    bench.gateway,
    {
      frameBytesMax: TRANSPORT_FRAME_BYTES_MAX,
      strangerBytesMax: STRANGER_BYTES_MAX,
      bufferBytesMax: SESSION_HARD_BYTES,
      idleTimeoutMs: IDLE_MS[name],
      allowsOrigin: () => true,
    },
    t.fail,
  );
  t.teardown(() => transport.close());
  return await transport.listen('127.0.0.1', 0);
}

/** Answers pings, as every client does. */
async function putsAlive(t: Test, port: number, bench: TestBench): Promise<void> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}`);
  t.teardown(() => socket.terminate());
  let isHeard = false;
  socket.on('open', () => {
    for (const frame of hereFrames(8, 'alive')) socket.send(frame);
  });
  socket.on('message', (data: Buffer) => {
    isHeard ||= isApplied(data);
  });
  await until(bench, () => isHeard);
}

/** Answers nothing, as one whose network has gone. */
async function putsHalfOpen(t: Test, port: number, bench: TestBench): Promise<RawSocket> {
  const socket = await RawSocket.open(port);
  t.teardown(() => socket.destroy());
  for (const body of hereFrames(7, 'half open')) socket.say({ opcode: Opcode.BINARY, body });
  const isHeard = ({ first, body }: RawSocket['frames'][number]): boolean =>
    first === (0x80 | Opcode.BINARY) && isApplied(body);
  await until(bench, () => socket.frames.some(isHeard));
  return socket;
}

/** Keys that a read finds. */
function standing(bench: TestBench): string[] {
  const keys = ['half open', 'alive'];
  const reader = bench.client(9);
  write(
    reader,
    ...keys.map((key, i) => ({ requestId: i + 1, kind: OperationKind.GET, map: 'users', key })),
  );
  bench.settle();
  const found = reader.results.filter(({ outcome }) => outcome === Code.FOUND);
  reader.close(1000);
  return found.map(({ requestId }) => keys[requestId - 1]);
}

function presenceEnds(name: TransportName): void {
  t.test(`LIFE-47: the presence of a connection that answers no ping ends (${name})`, async (t) => {
    const bench = new TestBench();
    const port = await served(t, name, bench);
    const watcher = bench.client(3);
    watcher.say({ case: 'subscribe', value: { subscriptionId: 1, map: 'users' } });
    await putsAlive(t, port, bench);
    const { connections } = bench.gateway;
    const socket = await putsHalfOpen(t, port, bench);
    await until(bench, () => bench.gateway.connections === connections);
    t.ok(
      socket.frames.some(({ first }) => first === (0x80 | Opcode.PING)),
      'it was asked',
    );
    bench.nowMs += PRESENCE_GRACE_MS - 1;
    bench.settle();
    t.same(standing(bench), ['half open', 'alive'], 'within the grace time');
    bench.nowMs += 1;
    bench.settle();
    t.same(standing(bench), ['alive'], 'and who answers stays');
    const removed = watcher.events.filter(({ kind }) => kind === EventKind.REMOVE);
    t.match(removed, [{ key: 'half open' }]);
  });
}

presenceEnds('ws');
if (missing === undefined) presenceEnds('uws');
else t.test(`LIFE-47: uws: ${missing}`, { skip: missing }, async () => {});
