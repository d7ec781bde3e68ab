import { once } from 'node:events';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import type { Connection, Transport } from '#lib/transport.js';
import { createUwsTransport } from '#lib/uws-transport.js';

const BUFFER_BYTES_MAX = 1024 * 1024;
const FRAME_BYTES_MAX = 100_000;
const TOPIC = 1;

interface Peer {
  readonly connection: Connection;
  readonly messages: string[];
  texts: number;
  drops: number;
  isClosed: boolean;
}

/** The transport as it is shipped, and what it tells. */
class Served {
  readonly peers: Peer[] = [];
  isUpgrading = true;
  transport!: Transport;
  port = 0;
  /** What a gateway does when a message was dropped. */
  onDropped: (peer: Peer) => void = () => {};

  static async start(t: Test): Promise<Served> {
    const served = new Served();
    served.transport = await createUwsTransport<Peer>(
      {
        onUpgrade: () => served.isUpgrading,
        onOpen: (connection) => served.#open(connection),
        onMessage: (peer, bytes) => void peer.messages.push(Buffer.from(bytes).toString()),
        onText: (peer) => void peer.texts++,
        onDropped: (peer) => {
          peer.drops++;
          served.onDropped(peer);
        },
        onClose: (peer) => {
          peer.isClosed = true;
        },
        onHttp: (path, isLocal) => ({ status: '200 OK', body: JSON.stringify({ path, isLocal }) }),
      },
      {
        frameBytesMax: FRAME_BYTES_MAX,
        bufferBytesMax: BUFFER_BYTES_MAX,
        idleTimeoutMs: 40_000,
      },
    );
    served.port = await served.transport.listen('127.0.0.1', 0);
    t.teardown(() => served.transport.close());
    return served;
  }

  async client(t: Test): Promise<Client> {
    const client = new Client(this.port);
    t.teardown(() => client.socket.terminate());
    await once(client.socket, 'open');
    return client;
  }

  #open(connection: Connection): Peer {
    const peer: Peer = { connection, messages: [], texts: 0, drops: 0, isClosed: false };
    this.peers.push(peer);
    return peer;
  }
}

class Client {
  readonly socket: WebSocket;
  readonly heard: string[] = [];
  readonly closed: Promise<number>;
  #onMessage = (): void => {};

  constructor(port: number) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}`);
    this.socket.on('error', () => {});
    this.closed = once(this.socket, 'close').then(([code]) => code as number);
    this.socket.on('message', (data: Buffer) => {
      this.heard.push(data.toString().replace(/ +$/, ''));
      this.#onMessage();
    });
  }

  hears(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#onMessage = () => {
        if (this.heard.at(-1) === text) resolve();
      };
      this.#onMessage();
    });
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const longBytesOf = (text: string): Uint8Array => Buffer.from(text.padEnd(60_000));
const names = (count: number, prefix = 'n'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

t.test(
  'UWS-1: what reaches a socket by publish and by send keeps the order of the calls',
  async (t) => {
    const served = await Served.start(t);
    const client = await served.client(t);
    const [{ connection }] = served.peers;
    connection.join(TOPIC);
    const expected = names(1000);
    for (const [i, name] of expected.entries()) {
      if (i % 3 === 0) connection.send(bytesOf(name));
      else served.transport.publish(TOPIC, bytesOf(name));
      if (i % 100 === 99) await turn();
    }
    await client.hears('n999');
    t.same(client.heard, expected);
  },
);

t.test('UWS-2: joining and leaving a topic cut exactly, within one turn', async (t) => {
  const served = await Served.start(t);
  const client = await served.client(t);
  const other = await served.client(t);
  const [{ connection }, { connection: standing }] = served.peers;
  standing.join(TOPIC);
  const say = (text: string): void => served.transport.publish(TOPIC, bytesOf(text));
  const expected: string[] = [];
  for (const [i, name] of names(200).entries()) {
    say(`before ${name}`);
    connection.join(TOPIC);
    say(name);
    expected.push(name);
    connection.leave(TOPIC);
    say(`after ${name}`);
    if (i % 50 === 0) await turn();
  }
  connection.send(bytesOf('end'));
  standing.send(bytesOf('end'));
  await Promise.all([client.hears('end'), other.hears('end')]);
  t.same(client.heard, [...expected, 'end']);
  t.equal(other.heard.length, 601);
});

for (const way of ['publish', 'send'] as const)
  t.test(
    `UWS-3: a message skipped by ${way} beyond the limit is told; none follows it; the code arrives`,
    async (t) => {
      const served = await Served.start(t);
      const client = await served.client(t);
      const other = await served.client(t);
      const [slow, standing] = served.peers;
      slow.connection.join(TOPIC);
      standing.connection.join(TOPIC);
      served.onDropped = ({ connection }) => {
        connection.leave(TOPIC);
        connection.close(4029, 'slow');
      };
      client.socket.pause();
      const sent = names(200);
      for (const name of sent) {
        const bytes = longBytesOf(name);
        if (way === 'publish') served.transport.publish(TOPIC, bytes);
        else if (slow.connection.send(bytes) !== 0) served.onDropped(slow);
        await turn();
      }
      if (way === 'publish') {
        t.equal(slow.drops, 1);
        await other.hears('n199');
        t.same(other.heard, sent, 'others hear everything');
      }
      t.ok(slow.connection.bufferedBytes() <= BUFFER_BYTES_MAX + FRAME_BYTES_MAX);
      client.socket.resume();
      t.equal(await client.closed, 4029);
      t.ok(client.heard.length > 10 && client.heard.length < sent.length);
      t.same(client.heard, sent.slice(0, client.heard.length));
      t.ok(slow.isClosed);
    },
  );

t.test(
  'UWS-4: many small messages published in one turn are counted against the limit too',
  async (t) => {
    const served = await Served.start(t);
    const client = await served.client(t);
    const [slow] = served.peers;
    slow.connection.join(TOPIC);
    served.onDropped = ({ connection }) => {
      connection.leave(TOPIC);
      connection.close(4029, 'slow');
    };
    client.socket.pause();
    const sent = names(60_000);
    const padding = ' '.repeat(150);
    for (const name of sent) served.transport.publish(TOPIC, bytesOf(name + padding));
    await turn();
    t.equal(slow.drops, 1);
    client.socket.resume();
    t.equal(await client.closed, 4029);
    t.same(client.heard, sent.slice(0, client.heard.length));
  },
);

t.test(
  'UWS-5: text and binary are told apart; a message beyond the limit ends the connection',
  async (t) => {
    const served = await Served.start(t);
    const client = await served.client(t);
    client.socket.send('text');
    client.socket.send(bytesOf('binary'));
    client.socket.send(new Uint8Array(FRAME_BYTES_MAX + 1));
    t.equal(await client.closed, 1006);
    const [peer] = served.peers;
    t.match(peer, { texts: 1, messages: ['binary'], isClosed: true });
    peer.connection.send(bytesOf('late'));
    peer.connection.join(TOPIC);
    peer.connection.close(1000, '');
    t.equal(peer.connection.bufferedBytes(), 0, 'a connection that has ended takes every call');
  },
);

t.test(
  'UWS-6: an upgrade that may not proceed is answered 503; HTTP is answered meanwhile',
  async (t) => {
    const served = await Served.start(t);
    served.isUpgrading = false;
    const refused = new WebSocket(`ws://127.0.0.1:${served.port}`);
    const [, response] = await once(refused, 'unexpected-response');
    t.equal(response.statusCode, 503);
    refused.on('error', () => {});
    refused.terminate();
    const answer = await fetch(`http://127.0.0.1:${served.port}/healthz`);
    t.same(await answer.json(), { path: '/healthz', isLocal: true });
    t.equal(served.peers.length, 0);
  },
);

t.test('UWS-7: a port that is taken is refused with a sentence', async (t) => {
  const [first, second] = [await Served.start(t), await Served.start(t)];
  await t.rejects(second.transport.listen('127.0.0.1', first.port), /is taken/);
});

t.test('UWS-8: closing ends every connection with its code', async (t) => {
  const served = await Served.start(t);
  const clients = await Promise.all([served.client(t), served.client(t)]);
  served.transport.close();
  t.same(await Promise.all(clients.map(({ closed }) => closed)), [1001, 1001]);
});
