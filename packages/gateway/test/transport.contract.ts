import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { get as getTls } from 'node:https';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { WebSocket } from 'ws';
import { Sent, type TlsFiles } from '#lib/transport/transport.js';
import { Opcode, RawSocket } from './raw-socket.js';
import { BUFFER_BYTES_MAX, type CreateTransport, FRAME_BYTES_MAX, Served } from './served.js';

const TOPIC = 1;

/** Where implementations may differ. */
export interface Differences {
  readonly name: string;
  /** What a client sees that has sent too long a message. */
  readonly tooLongCode: number;
  /** The shortest idle timeout that it has. */
  readonly idleTimeoutMsMin: number;
  readonly tls?: TlsFiles;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const longBytesOf = (text: string): Uint8Array => Buffer.from(text.padEnd(60_000));
const names = (count: number, prefix = 'n'): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** The promises of `Transport`, kept by every implementation. */
export function transportContract(create: CreateTransport, differences: Differences): void {
  const { name: on, tooLongCode, idleTimeoutMsMin, tls } = differences;
  const start = (t: Test, options: Parameters<typeof Served.start>[2] = {}): Promise<Served> =>
    Served.start(t, create, { tls, ...options });

  t.test(`TRANS-1: what publish and send give to a socket keeps its order (${on})`, async (t) => {
    const served = await start(t);
    const client = await served.client(t);
    const [{ connection }] = served.peers;
    connection.join(TOPIC);
    const expected = names(1000);
    const bytes = new Uint8Array(8);
    for (const [i, name] of expected.entries()) {
      const { written } = new TextEncoder().encodeInto(name, bytes);
      const message = bytes.subarray(0, written);
      if (i % 3 === 0) connection.send(message);
      else served.transport.publish(TOPIC, message);
      bytes.fill(0x23); // they have been copied
      if (i % 100 === 99) await turn();
    }
    await client.hears('n999');
    t.same(client.heard, expected);
  });

  t.test(`TRANS-2: joining and leaving cut exactly, within one turn (${on})`, async (t) => {
    const served = await start(t);
    const client = await served.client(t);
    const other = await served.client(t);
    const [{ connection }, { connection: standing }] = served.peers;
    standing.join(TOPIC);
    standing.join(TOPIC + 1);
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
    served.transport.publish(TOPIC + 1, bytesOf('end'));
    await Promise.all([client.hears('end'), other.hears('end')]);
    t.same(client.heard, [...expected, 'end']);
    t.equal(other.heard.length, 601);
  });

  for (const way of ['publish', 'send'] as const)
    t.test(
      `TRANS-3: a message skipped by ${way} is told; none follows; the code arrives (${on})`,
      async (t) => {
        const served = await start(t);
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
        t.equal(slow.drops, 1);
        t.equal(standing.drops, 0);
        if (way === 'publish') {
          await other.hears('n199');
          t.same(other.heard, sent, 'others hear everything');
        }
        t.ok(slow.connection.bufferedBytes() <= BUFFER_BYTES_MAX + FRAME_BYTES_MAX);
        client.socket.resume();
        t.equal(await client.closed, 4029);
        t.ok(client.heard.length > 10 && client.heard.length < sent.length);
        t.same(client.heard, sent.slice(0, client.heard.length));
        await served.until(() => slow.closes === 1);
      },
    );

  t.test(
    `TRANS-3: after a drop nothing is sent, also once there is room again (${on})`,
    async (t) => {
      const served = await start(t);
      const client = await served.client(t);
      const [slow] = served.peers;
      client.socket.pause();
      const sent = names(200).findIndex(
        (name) => slow.connection.send(longBytesOf(name)) !== Sent.OK,
      );
      t.ok(sent > 0);
      client.socket.resume();
      while (slow.connection.bufferedBytes() > 0) await turn();
      t.equal(slow.connection.send(bytesOf('late')), Sent.DROPPED);
      t.equal(slow.drops, 1);
      slow.connection.close(4029, 'slow');
      t.equal(await client.closed, 4029);
      t.same(client.heard, names(sent));
    },
  );

  t.test(
    `TRANS-4: many small messages of one turn count against the limit too (${on})`,
    async (t) => {
      const served = await start(t);
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
    `TRANS-5: text and binary are told apart; a message too long ends the connection (${on})`,
    async (t) => {
      const served = await start(t);
      const client = await served.client(t);
      client.socket.send('text');
      client.socket.send(bytesOf('binary'));
      client.socket.send(new Uint8Array(FRAME_BYTES_MAX + 1));
      t.equal(await client.closed, tooLongCode);
      const [peer] = served.peers;
      await served.until(() => peer.closes === 1);
      t.match(peer, { texts: 1, messages: ['binary'] });
    },
  );

  t.test(`TRANS-6: HTTP is answered while upgrades are refused with 503 (${on})`, async (t) => {
    const served = await start(t);
    served.isUpgrading = false;
    t.match(await new RawSocket(served.port, served.isTls).upgrade(), /^HTTP\/1.1 503 /);
    const answer = await httpGet(served.url('http'), '/healthz?a=b');
    t.match(answer, { status: 200, type: 'application/json' });
    t.same(JSON.parse(answer.body), { path: '/healthz' });
    t.equal(served.peers.length, 0);
  });

  t.test(`TRANS-30: every answer to HTTP ends its socket (${on})`, async (t) => {
    const served = await start(t, { allowsOrigin: (origin) => origin === 'https://good.example' });
    served.isUpgrading = false;
    const handshake = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'];
    const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
    const requests = [
      ['GET /healthz HTTP/1.1'],
      ['GET /healthz HTTP/1.1', 'Connection: keep-alive'],
      ['POST /healthz HTTP/1.1', 'Content-Length: 0'],
      ['POST /healthz HTTP/1.1', 'Content-Length: 100000'],
      ['PUT / HTTP/1.1', 'Transfer-Encoding: chunked'],
      ['HEAD / HTTP/1.1'],
      ['OPTIONS / HTTP/1.1'],
      ['GET / HTTP/1.1', 'Expect: the-unexpected'],
      ['GET / HTTP/1.1', ...handshake],
      ['GET / HTTP/1.1', ...handshake, key],
      ['GET / HTTP/1.1', ...handshake, key, 'Origin: https://bad.example'],
      ['GET / HTTP/1.1', ...handshake.slice(0, 2), key, 'Sec-WebSocket-Version: 12'],
    ];
    for (const [i, [line, ...headers]] of requests.entries()) {
      const socket = new RawSocket(served.port, served.isTls);
      const answer = await socket.request([line, 'Host: x', ...headers]);
      t.match(answer, /^HTTP\/1.1 [2-5]/, `${line} ${headers}`);
      t.match(answer.toLowerCase(), 'connection: close', `${line} ${headers}`);
      await socket.ended;
      await served.until(() => served.ended.length === i + 1);
    }
    t.equal(served.accepted.length, requests.length);
    t.same(served.ended, served.accepted);
  });

  t.test(`TRANS-31: of each accepted socket one end is told, or one opening (${on})`, async (t) => {
    const served = await start(t);
    const client = await served.client(t);
    const [mute, half] = [new RawSocket(served.port, served.isTls), new RawSocket(served.port)];
    half.write('GET / HTTP/1.1\r\nHo');
    await served.until(() => served.accepted.length === 3);
    mute.destroy();
    half.destroy();
    await served.until(() => served.ended.length === 2);
    client.socket.close();
    await served.until(() => served.peers[0].closes === 1);
    served.isAccepting = false;
    await new RawSocket(served.port, served.isTls).ended;
    await served.until(() => served.accepted.length === 4);
    await turn();
    t.equal(served.ended.length, 2, 'neither of those that were upgraded nor of those turned away');
  });

  t.test(`TRANS-28: a refused upgrade says why, and when to try again (${on})`, async (t) => {
    const served = await start(t);
    served.isUpgrading = false;
    const socket = new WebSocket(served.url('ws'), { rejectUnauthorized: false });
    const [, response] = (await once(socket, 'unexpected-response')) as [unknown, IncomingMessage];
    t.match(response, { statusCode: 503, headers: { 'retry-after': '2' } });
    t.equal(await text(response), 'Full.\n');
  });

  t.test(`TRANS-29: a socket that is not accepted is closed without a word (${on})`, async (t) => {
    const served = await start(t);
    const client = await served.client(t);
    served.isAccepting = false;
    t.equal(await new RawSocket(served.port, served.isTls).upgrade(), '');
    await served.until(() => served.accepted.length === 2);
    t.equal(served.peers.length, 1);
    client.socket.send(bytesOf('on'));
    await served.until(() => served.peers[0].messages.length === 1);
    t.match(served.peers[0].address, /127\.0\.0\.1/);
    t.match(served.accepted, [/127\.0\.0\.1/, /127\.0\.0\.1/]);
  });

  t.test(`LIMIT-28: of each socket it tells the upgrade or the end, once (${on})`, async (t) => {
    const served = await start(t);
    const come = async (): Promise<RawSocket> => {
      const count = served.accepted.length + 1;
      const socket = new RawSocket(served.port, served.isTls);
      t.teardown(() => socket.socket.destroy());
      await served.until(() => served.accepted.length === count);
      await turn(); // of the transport, which goes on accepting as long as somebody comes
      return socket;
    };
    const silent = [await come(), await come(), await come()];
    t.equal(served.halfOpen, 3);
    const client = await served.client(t);
    t.equal(served.halfOpen, 3, 'one was upgraded');
    client.socket.terminate();
    await client.closed;
    served.isAccepting = false;
    await come();
    served.isAccepting = true;
    t.equal(served.halfOpen, 3, 'who is turned away has not come');
    for (const { socket } of silent) socket.destroy();
    await served.until(() => served.halfOpen === 0);
    t.equal(served.ended.length, 3);
  });

  t.test(`TRANS-7: a port that is taken is refused with a sentence (${on})`, async (t) => {
    const first = await start(t);
    await t.rejects(start(t, { port: first.port }), /is taken/);
  });

  t.test(`TRANS-8: closing ends every connection with its code (${on})`, async (t) => {
    const served = await start(t);
    const clients = await Promise.all([served.client(t), served.client(t)]);
    served.transport.close();
    t.same(await Promise.all(clients.map(({ closed }) => closed)), [1001, 1001]);
  });

  t.test(
    `TRANS-9: who stops listening takes no newcomer; those that stand go on (${on})`,
    async (t) => {
      const served = await start(t);
      const client = await served.client(t);
      const [{ connection }] = served.peers;
      connection.join(TOPIC);
      served.transport.stopListening();
      const late = new RawSocket(served.port, served.isTls);
      await late.ended;
      t.equal(served.peers.length, 1);
      served.transport.publish(TOPIC, bytesOf('still'));
      connection.send(bytesOf('here'));
      await client.hears('here');
      t.same(client.heard, ['still', 'here']);
    },
  );

  t.test(
    `TRANS-10: a quiet connection is pinged; one that does not answer is closed (${on})`,
    async (t) => {
      const served = await start(t, { idleTimeoutMs: idleTimeoutMsMin });
      const answering = await served.client(t);
      let pings = 0;
      answering.socket.on('ping', () => pings++);
      const mute = await RawSocket.open(served.port, served.isTls);
      t.teardown(() => mute.destroy());
      const [standing, quiet] = served.peers;
      await served.until(() => quiet.closes === 1);
      t.ok(mute.frames.some(({ first }) => first === (0x80 | Opcode.PING)));
      await mute.ended;
      t.equal(standing.closes, 0);
      t.ok(pings > 0);
      standing.connection.send(bytesOf('still here'));
      await answering.hears('still here');
    },
  );

  t.test(`TRANS-11: a reason too long is cut between characters (${on})`, async (t) => {
    const served = await start(t);
    const client = await served.client(t);
    served.peers[0].connection.close(4001, `x${'ü'.repeat(100)}`);
    t.equal(await client.closed, 4001);
    t.equal(client.reason, `x${'ü'.repeat(61)}`);
  });

  t.test(`TRANS-12: no compression is agreed upon (${on})`, async (t) => {
    const served = await start(t);
    const client = await served.client(t, { perMessageDeflate: true });
    t.equal(client.socket.extensions, '');
  });

  t.test(
    `TRANS-13: after close nothing is heard, onClose comes once, every call is taken (${on})`,
    async (t) => {
      const served = await start(t);
      const client = await served.client(t);
      const [peer] = served.peers;
      peer.connection.join(TOPIC);
      served.onMessage = ({ connection }) => connection.close(4000, 'enough');
      for (const name of names(3)) client.socket.send(bytesOf(name));
      client.socket.send('text');
      t.equal(await client.closed, 4000);
      await served.until(() => peer.closes > 0);
      peer.connection.send(bytesOf('late'));
      served.transport.publish(TOPIC, bytesOf('late'));
      peer.connection.join(TOPIC);
      peer.connection.leave(TOPIC);
      peer.connection.close(1000, '');
      t.equal(peer.connection.bufferedBytes(), 0);
      await turn();
      t.match(peer, { messages: ['n0'], texts: 0, closes: 1, drops: 0 });
      t.same(client.heard, []);
    },
  );

  t.test(
    `TRANS-14: a peer that is cut off is told once and leaves its topics (${on})`,
    async (t) => {
      const served = await start(t);
      const client = await served.client(t);
      const other = await served.client(t);
      for (const { connection } of served.peers) connection.join(TOPIC);
      client.socket.terminate();
      await served.until(() => served.peers[0].closes === 1);
      served.transport.publish(TOPIC, bytesOf('alone'));
      await other.hears('alone');
      t.equal(served.peers[0].drops, 0);
    },
  );

  t.test(
    `TRANS-15: what a peer has not read is counted, and no longer once it has (${on})`,
    async (t) => {
      const served = await start(t);
      const client = await served.client(t);
      const [{ connection }] = served.peers;
      t.equal(connection.bufferedBytes(), 0);
      client.socket.pause();
      let sent = 0;
      for (; connection.bufferedBytes() < BUFFER_BYTES_MAX / 2; sent++) {
        connection.send(longBytesOf(`n${sent}`));
        await turn();
      }
      client.socket.resume();
      await client.hears(`n${sent - 1}`);
      while (connection.bufferedBytes() > 0) await turn();
      t.same(client.heard, names(sent));
    },
  );

  t.test(
    `TRANS-16: a page of an origin that may not connect is answered 403 (${on})`,
    async (t) => {
      const served = await start(t, {
        allowsOrigin: (origin) => origin === 'https://good.example',
      });
      const knock = (...headers: string[]): Promise<string> =>
        new RawSocket(served.port, served.isTls).upgrade(headers);
      t.match(await knock('Origin: https://bad.example'), /^HTTP\/1.1 403 /);
      t.match(await knock('Origin: null'), /^HTTP\/1.1 403 /);
      t.equal(served.peers.length, 0);
      t.match(await knock('oRiGiN: https://good.example'), /^HTTP\/1.1 101 /);
      t.match(await knock(), /^HTTP\/1.1 101 /, 'a program names none');
    },
  );
}

/** Like `fetch`, which takes no certificate that nobody vouches for. */
function httpGet(
  url: string,
  path: string,
): Promise<{ status?: number | undefined; type?: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const onAnswer = async (response: IncomingMessage): Promise<void> => {
      let body = '';
      for await (const chunk of response) body += chunk;
      resolve({ status: response.statusCode, type: response.headers['content-type'], body });
    };
    const request = url.startsWith('https:')
      ? getTls(url + path, { rejectUnauthorized: false }, onAnswer)
      : get(url + path, onAnswer);
    request.on('error', reject);
  });
}
