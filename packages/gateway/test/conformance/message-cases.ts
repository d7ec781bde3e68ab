import { TRANSPORT_FRAME_BYTES_MAX } from '@tidewire/core';
import { closeBody, type FrameInit, frameBytes, Opcode } from '../raw-socket.js';
import {
  byteByByte,
  type Case,
  ECHO_FAILS_1002,
  exchange,
  FAILS_1002,
  FAILS_1007,
  FAILS_1009,
  fragments,
  type Group,
  together,
} from './conformance.js';

const { BINARY, TEXT, CONTINUATION, CLOSE, PING, PONG } = Opcode;
const HELLO = Buffer.from('hello');

const ping = (body = ''): Buffer => frameBytes({ opcode: PING, body });

function failing(title: string, section: string, ...frames: FrameInit[]): Case {
  const pieces = together(...frames.map(frameBytes));
  return { title, section, expected: FAILS_1002, run: exchange(pieces) };
}

const pings: Group = {
  title: 'Ping and pong',
  cases: [
    plays('a ping without a body', '5.5.2', ['pong, open'], [ping()]),
    plays('a ping with a body', '5.5.2', ['pong hello, open'], [ping('hello')]),
    plays('a ping of 125 bytes', '5.5.2', ['pong of 125 bytes, open'], [ping('x'.repeat(125))]),
    plays('a ping byte by byte', '5.5.2', ['pong hello, open'], byteByByte(ping('hello'))),
    plays(
      'ten pings at once are answered in order',
      '5.5.2',
      [`${Array.from({ length: 10 }, (_, i) => `pong p${i}`).join(', ')}, open`],
      together(...Array.from({ length: 10 }, (_, i) => ping(`p${i}`))),
    ),
    plays('a pong that nobody asked for', '5.5.3', ['open'], [frameBytes({ opcode: PONG })]),
    plays(
      'a pong with a body, then a ping',
      '5.5.3',
      ['pong hello, open'],
      [Buffer.concat([frameBytes({ opcode: PONG, body: 'mine' }), ping('hello')])],
    ),
    failing('a ping of 126 bytes', '5.5', { opcode: PING, body: 'x'.repeat(126) }),
    failing('a pong of 126 bytes', '5.5', { opcode: PONG, body: 'x'.repeat(126) }),
    failing('a ping in fragments', '5.5', { opcode: PING, body: 'a', isFinal: false }),
    failing('a pong in fragments', '5.5', { opcode: PONG, body: 'a', isFinal: false }),
  ],
};

function plays(
  title: string,
  section: string,
  expected: readonly string[],
  pieces: readonly Buffer[],
  known: Case['known'] = {},
): Case {
  return { title, section, expected, known, run: exchange(pieces, HELLO) };
}

const [first, middle, last] = fragments(BINARY, 'he', 'l', 'lo');
const halves = fragments(BINARY, 'hel', 'lo');
const big = Buffer.alloc(TRANSPORT_FRAME_BYTES_MAX / 2 + 1, 7);

const fragmentation: Group = {
  title: 'Fragments',
  cases: [
    plays('a message in two fragments', '5.4', ['echo, open'], halves),
    plays('in two fragments in one piece', '5.4', ['echo, open'], together(...halves)),
    plays(
      'in two fragments, byte by byte',
      '5.4',
      ['echo, open'],
      [...byteByByte(Buffer.concat(halves))],
    ),
    plays('an empty first fragment', '5.4', ['echo, open'], fragments(BINARY, '', 'hello')),
    plays('an empty middle fragment', '5.4', ['echo, open'], fragments(BINARY, 'he', '', 'llo')),
    plays('an empty last fragment', '5.4', ['echo, open'], fragments(BINARY, 'hello', '')),
    {
      title: 'three fragments, all empty',
      section: '5.4',
      expected: ['echo, open'],
      run: exchange(fragments(BINARY, '', '', ''), Buffer.alloc(0)),
    },
    plays('text in two fragments', '5.4', ['text, open'], fragments(TEXT, 'hel', 'lo')),
    {
      title: '1,000 fragments of one byte',
      section: '5.4',
      expected: ['echo, open'],
      run: exchange(
        together(...fragments(BINARY, ...Array<string>(1000).fill('x'))),
        Buffer.alloc(1000, 'x'),
      ),
    },
    plays(
      'pings between the fragments',
      '5.4',
      ['pong a, pong b, echo, open'],
      [Buffer.concat([first, ping('a'), middle, ping('b'), last])],
    ),
    plays(
      'a pong between the fragments',
      '5.4',
      ['echo, open'],
      [Buffer.concat([first, frameBytes({ opcode: PONG }), middle, last])],
    ),
    plays(
      'a close between the fragments',
      '5.4',
      ['close 1000, end'],
      [Buffer.concat([first, frameBytes({ opcode: CLOSE, body: closeBody(1000) }), last])],
    ),
    failing('a continuation of nothing', '5.4', { opcode: CONTINUATION, body: 'x' }),
    failing('a continuation of nothing, not final', '5.4', {
      opcode: CONTINUATION,
      body: 'x',
      isFinal: false,
    }),
    plays(
      'a continuation after the last fragment',
      '5.4',
      ECHO_FAILS_1002,
      together(...halves, frameBytes({ opcode: CONTINUATION, body: 'x' })),
    ),
    plays(
      'a new message between the fragments',
      '5.4',
      FAILS_1002,
      [Buffer.concat([first, frameBytes({ opcode: BINARY, body: 'x' })])],
      { uws: 'message hex, open' },
    ),
    plays('a new text between the fragments', '5.4', FAILS_1002, [
      Buffer.concat([first, frameBytes({ opcode: TEXT, body: 'x', isFinal: false })]),
    ]),
    plays('fragments too long together', '10.4', FAILS_1009, [
      Buffer.concat(fragments(BINARY, big, big)),
    ]),
  ],
};

const VALID_TEXTS: Record<string, string | number[]> = {
  'letters of two, three and four bytes': 'κόσμε 日本 😀',
  'a NUL': '\0',
  'a byte order mark': '\ufeffx',
  'the noncharacters U+FFFE and U+FFFF': '\ufffe\uffff',
  'the last letter, U+10FFFF': [0xf4, 0x8f, 0xbf, 0xbf],
};
const INVALID_TEXTS: Record<string, number[]> = {
  'a continuation byte alone': [0x80],
  'the byte FE': [0xfe],
  'the byte FF': [0x61, 0xff],
  'a letter cut off at the end': [0x61, 0xe2, 0x82],
  'two bytes for U+002F': [0xc0, 0xaf],
  'three bytes for U+002F': [0xe0, 0x80, 0xaf],
  'four bytes for U+002F': [0xf0, 0x80, 0x80, 0xaf],
  'two bytes for NUL': [0xc0, 0x80],
  'a surrogate, U+D800': [0xed, 0xa0, 0x80],
  'a pair of surrogates': [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80],
  'U+110000': [0xf4, 0x90, 0x80, 0x80],
  'a letter of five bytes': [0xf8, 0x88, 0x80, 0x80, 0x80],
};

const utf8: Group = {
  title: 'UTF-8',
  cases: [
    ...Object.entries(VALID_TEXTS).map(([title, body]) =>
      plays(
        title,
        '8.1',
        ['text, open'],
        [frameBytes({ opcode: TEXT, body: Buffer.from(body as string) })],
      ),
    ),
    plays(
      'a letter cut by fragments',
      '8.1',
      ['text, open'],
      [...fragments(TEXT, Buffer.of(0xe2, 0x82), Buffer.of(0xac))],
    ),
    ...Object.entries(INVALID_TEXTS).map(([title, body]) =>
      plays(title, '8.1', FAILS_1007, [frameBytes({ opcode: TEXT, body: Buffer.from(body) })]),
    ),
    plays('a wrong byte in the second fragment', '8.1', FAILS_1007, [
      ...together(...fragments(TEXT, 'good', Buffer.of(0xff))),
    ]),
    plays('a letter cut off at the end of the last fragment', '8.1', FAILS_1007, [
      ...together(...fragments(TEXT, 'good', Buffer.of(0xe2, 0x82))),
    ]),
    {
      title: 'a binary message need not be UTF-8',
      section: '5.6',
      expected: ['echo, open'],
      run: exchange(
        [frameBytes({ opcode: BINARY, body: Buffer.of(0xff, 0xfe) })],
        Buffer.of(0xff, 0xfe),
      ),
    },
  ],
};

const close = (body: Uint8Array | string = ''): Buffer => frameBytes({ opcode: CLOSE, body });

const GOOD_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
const BAD_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];

const closes: Group = {
  title: 'Close',
  cases: [
    plays('without a code', '5.5.1', ['close, end', 'close 1000, end'], [close()]),
    ...[...GOOD_CODES, 3000, 3999, 4000, 4999].map((code) =>
      plays(
        `with code ${code}`,
        '7.4',
        [`close ${code}, end`, 'close 1000, end', 'close, end'],
        [close(closeBody(code))],
      ),
    ),
    plays(
      'with a reason',
      '5.5.1',
      ['close 1000 bye, end', 'close 1000, end'],
      [close(closeBody(1000, 'bye'))],
    ),
    plays(
      'with a reason of 123 bytes',
      '5.5.1',
      ['close 1000 of 123 bytes, end', 'close 1000, end'],
      [close(closeBody(1000, 'x'.repeat(123)))],
    ),
    ...BAD_CODES.map((code) =>
      plays(`with code ${code}, which none may send`, '7.4', FAILS_1002, [close(closeBody(code))], {
        uws: 'close, end',
      }),
    ),
    plays('with half a code', '5.5.1', FAILS_1002, [close(Buffer.of(3))], { uws: 'close, end' }),
    plays(
      'with a reason that is not UTF-8',
      '5.5.1',
      ['close 1007, end', 'close 1002, end', 'end'],
      [close(closeBody(1000, Buffer.of(0xff)))],
      { uws: 'close, end' },
    ),
    plays('of 126 bytes', '5.5', FAILS_1002, [close(closeBody(1000, 'x'.repeat(124)))]),
    failing('in fragments', '5.5', { opcode: CLOSE, body: closeBody(1000), isFinal: false }),
    plays(
      'a message before it is answered, one after it is not',
      '5.5.1',
      ['echo, close 1000, end'],
      [
        Buffer.concat([
          frameBytes({ opcode: BINARY, body: HELLO }),
          close(closeBody(1000)),
          frameBytes({ opcode: BINARY, body: HELLO }),
        ]),
      ],
    ),
    plays(
      'a ping after it is not answered',
      '5.5.1',
      ['close 1000, end'],
      [Buffer.concat([close(closeBody(1000)), ping('late')])],
    ),
    plays(
      'twice',
      '5.5.1',
      ['close 1000, end'],
      [Buffer.concat([close(closeBody(1000)), close(closeBody(1001))])],
    ),
  ],
};

export const messageGroups: readonly Group[] = [pings, fragmentation, utf8, closes];
