import { createHash } from 'node:crypto';
import { closeBody, frameBytes, Opcode, RawSocket } from '../raw-socket.js';
import { type Case, type Group, heardBy } from './conformance.js';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPTED = createHash('sha1')
  .update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
  .digest('base64');
const HELLO = Buffer.from('hello');

const LINES: Readonly<Record<string, string>> = {
  request: 'GET / HTTP/1.1',
  host: 'Host: x',
  upgrade: 'Upgrade: websocket',
  connection: 'Connection: Upgrade',
  version: 'Sec-WebSocket-Version: 13',
  key: `Sec-WebSocket-Key: ${KEY}`,
};

/** Sends the lines of a handshake, some of them changed, added or (empty) left out. */
function handshake(
  title: string,
  section: string,
  expected: string[],
  changes: Readonly<Record<string, string>> = {},
): Case {
  const lines = Object.values({ ...LINES, ...changes }).filter((line) => line !== '');
  const run = async (port: number): Promise<string> => {
    const socket = new RawSocket(port);
    const answer = await socket.request(lines);
    socket.destroy();
    return answer === '' ? 'end' : answerText(answer);
  };
  return { title, section, expected, run };
}

/** The status, and of an upgrade what it agrees upon. */
function answerText(answer: string): string {
  const status = answer.slice(9, 12);
  if (status !== '101') return status;
  const header = (name: string): string | undefined =>
    new RegExp(`^${name}: *(.*)$`, 'im').exec(answer)?.[1];
  if (header('sec-websocket-accept') !== ACCEPTED) return '101 with a wrong key';
  const protocol = header('sec-websocket-protocol');
  const extensions = header('sec-websocket-extensions');
  return ['101', protocol && `protocol ${protocol}`, extensions && `extensions ${extensions}`]
    .filter((part) => part !== undefined)
    .join(', ');
}

const handshakes: Group = {
  title: 'Handshake',
  cases: [
    handshake('as it should be', '4.2.2', ['101']),
    handshake('names and values in other cases', '4.2.1', ['101'], {
      upgrade: 'UPGRADE: WebSocket',
      connection: 'connection: upgrade',
      key: `sec-websocket-key: ${KEY}`,
    }),
    handshake('Connection with several tokens', '4.2.1', ['101'], {
      connection: 'Connection: keep-alive, Upgrade',
    }),
    handshake('compression on offer is not taken', '9.1', ['101'], {
      extensions: 'Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits',
    }),
    handshake('an extension that nobody knows', '9.1', ['101'], {
      extensions: 'Sec-WebSocket-Extensions: x-none; a=1',
    }),
    handshake(
      'of two protocols on offer one is taken, or none',
      '4.2.2',
      ['101', '101, protocol a'],
      {
        protocols: 'Sec-WebSocket-Protocol: a, b',
      },
    ),
    handshake('without a key', '4.2.1', ['400', 'end'], { key: '' }),
    handshake('a key of 15 bytes', '4.2.1', ['400', 'end'], {
      key: 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAA',
    }),
    handshake('without a version', '4.2.1', ['400', '426'], { version: '' }),
    handshake('version 12', '4.4', ['426', '400'], { version: 'Sec-WebSocket-Version: 12' }),
    handshake('without Upgrade it is HTTP', '4.2.1', ['200', '400'], {
      upgrade: '',
      connection: '',
    }),
    handshake('by POST', '4.1', ['405', '400', '404', 'end'], { request: 'POST / HTTP/1.1' }),
    handshake('in HTTP/1.0', '4.1', ['400', '505', 'end'], { request: 'GET / HTTP/1.0' }),
    handshake('without Host', 'RFC 9112, 3.2', ['400', 'end'], { host: '' }),
    handshake('a request line that is none', 'RFC 9112, 3', ['400', '505', 'end'], {
      request: 'HELLO',
    }),
    handshake('a header without a colon', 'RFC 9112, 5', ['400', 'end'], { odd: 'no colon here' }),
    handshake('headers of 100,000 bytes', 'RFC 6585, 5', ['431', '400', 'end', '101'], {
      long: `X: ${'x'.repeat(100_000)}`,
    }),
  ],
};

/** What the server does when a client ends its side, and whether it then ends too. */
function ending(
  title: string,
  expected: string[],
  play: (socket: RawSocket) => void | Promise<void>,
): Case {
  const run = async (port: number): Promise<string> => {
    const socket = await RawSocket.open(port);
    await play(socket);
    await socket.ended;
    const heard = heardBy(socket, HELLO);
    socket.destroy();
    return [...heard, 'end'].join(', ');
  };
  return { title, section: '7.1.5', expected, run };
}

const hello = frameBytes({ opcode: Opcode.BINARY, body: HELLO });

const endings: Group = {
  title: 'Half-closed and cut connections',
  cases: [
    ending('a client ends its side at once', ['end', 'close 1006, end'], (socket) => {
      socket.socket.end();
    }),
    ending('after a message: it is answered', ['echo, end'], async (socket) => {
      socket.write(hello);
      await socket.until(() => socket.frames.length === 1);
      socket.socket.end();
    }),
    ending('with a message under way: it may be answered', ['echo, end', 'end'], (socket) => {
      socket.socket.end(hello);
    }),
    ending('in the middle of a frame', ['end'], (socket) => {
      socket.socket.end(hello.subarray(0, 8));
    }),
    ending('in the middle of a fragmented message', ['end'], (socket) => {
      socket.socket.end(frameBytes({ opcode: Opcode.BINARY, body: 'x', isFinal: false }));
    }),
    ending('right behind its close frame', ['close 1000, end'], (socket) => {
      socket.socket.end(frameBytes({ opcode: Opcode.CLOSE, body: closeBody(1000) }));
    }),
  ],
};

export const connectionGroups: readonly Group[] = [handshakes, endings];
