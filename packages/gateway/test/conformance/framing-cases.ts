import { TRANSPORT_FRAME_BYTES_MAX } from '@tidewire/core';
import { closeBody, type FrameInit, frameBytes, Opcode } from '../raw-socket.js';
import {
  byteByByte,
  type Case,
  ECHO_FAILS_1002,
  exchange,
  FAILS_1002,
  FAILS_1009,
  type Group,
  together,
} from './conformance.js';

const LIMIT = TRANSPORT_FRAME_BYTES_MAX;
const HELLO = Buffer.from('hello');

function bodyOf(length: number): Buffer {
  return Buffer.from(Array.from({ length }, (_, i) => (i * 31 + (i >> 8)) & 0xff));
}

function echoed(title: string, section: string, pieces: Buffer[], message: Buffer): Case {
  return { title, section, expected: ['echo, open'], run: exchange(pieces, message) };
}

function binary(body: Buffer, init: Partial<FrameInit> = {}): Buffer {
  return frameBytes({ opcode: Opcode.BINARY, body, ...init });
}

function failing(title: string, section: string, ...frames: FrameInit[]): Case {
  const pieces = together(...frames.map(frameBytes));
  return { title, section, expected: FAILS_1002, run: exchange(pieces) };
}

const lengths: Group = {
  title: 'Frames and their lengths',
  cases: [
    ...[0, 1, 125, 126, 127, 128, 65_535, 65_536, LIMIT].map((length) =>
      echoed(`binary of ${length} bytes`, '5.2', [binary(bodyOf(length))], bodyOf(length)),
    ),
    ...[0, 125, 126, 65_536].map((length) => ({
      title: `text of ${length} bytes`,
      section: '5.6',
      expected: ['text, open'],
      run: exchange([frameBytes({ opcode: Opcode.TEXT, body: 'a'.repeat(length) })]),
    })),
    echoed(
      'binary of 200 bytes, byte by byte',
      '5.2',
      byteByByte(binary(bodyOf(200))),
      bodyOf(200),
    ),
    echoed(
      'binary of 70,000 bytes in pieces of 997',
      '5.2',
      piecesOf(binary(bodyOf(70_000)), 997),
      bodyOf(70_000),
    ),
    {
      title: 'three messages in one piece',
      section: '5.2',
      expected: ['echo, text, echo, open'],
      run: exchange(
        together(binary(HELLO), frameBytes({ opcode: Opcode.TEXT, body: 'x' }), binary(HELLO)),
        HELLO,
      ),
    },
    ...([2, 8] as const).map((lengthBytes) => ({
      title: `5 bytes under a length of ${lengthBytes * 8} bits, longer than need be`,
      section: '5.2',
      expected: ['close 1002, end', 'echo, open', 'end'],
      run: exchange([binary(HELLO, { lengthBytes })], HELLO),
    })),
    tooLong(`a frame of ${LIMIT + 1} bytes`, [binary(bodyOf(LIMIT + 1))]),
    tooLong('a frame that says 2³² + 5 bytes and brings 5', [
      binary(HELLO, { length: 2n ** 32n + 5n }),
    ]),
    tooLong('a frame that says 2⁵³ bytes', [binary(HELLO, { length: 2n ** 53n })]),
    tooLong('a frame that says 2⁶³ − 1 bytes', [binary(HELLO, { length: 2n ** 63n - 1n })]),
    tooLong('a frame that says 2⁶³ bytes, which sets the first bit', [
      binary(HELLO, { length: 2n ** 63n }),
    ]),
    tooLong('a frame that says 2⁶⁴ − 1 bytes', [binary(HELLO, { length: 2n ** 64n - 1n })]),
  ],
};

function tooLong(title: string, pieces: Buffer[]): Case {
  return { title, section: '10.4', expected: FAILS_1009, run: exchange(pieces) };
}

function piecesOf(bytes: Buffer, length: number): Buffer[] {
  return Array.from({ length: Math.ceil(bytes.length / length) }, (_, i) =>
    bytes.subarray(i * length, (i + 1) * length),
  );
}

const bits: Group = {
  title: 'Reserved bits',
  cases: [1, 2, 3, 4, 5, 6, 7].flatMap((reserved) =>
    (['BINARY', 'TEXT', 'PING', 'CLOSE'] as const)
      .filter((kind) => reserved === 4 || kind === 'BINARY' || reserved === 7)
      .map((kind) =>
        failing(
          `bits ${reserved.toString(2).padStart(3, '0')} in a ${kind.toLowerCase()} frame`,
          '5.2',
          { opcode: Opcode[kind], reserved },
        ),
      ),
  ),
};

const opcodes: Group = {
  title: 'Opcodes',
  cases: [
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
      failing(`opcode ${opcode}`, '5.2', { opcode, body: 'x' }),
    ),
    ...[3, 11].map((opcode) => ({
      title: `opcode ${opcode} without a body, after a message`,
      section: '5.2',
      expected: ECHO_FAILS_1002,
      run: exchange(together(binary(HELLO), frameBytes({ opcode })), HELLO),
    })),
  ],
};

const masks: Group = {
  title: 'Masking',
  cases: [
    ...[0, 0xffffffff, 0x000000ff].map((mask) =>
      echoed(
        `masking key ${mask.toString(16).padStart(8, '0')}`,
        '5.3',
        [binary(bodyOf(300), { mask })],
        bodyOf(300),
      ),
    ),
    ...(['BINARY', 'TEXT', 'PING'] as const).map((kind) =>
      failing(`a ${kind.toLowerCase()} frame without a mask`, '5.1', {
        opcode: Opcode[kind],
        body: 'hello',
        isMasked: false,
      }),
    ),
    {
      title: 'a close frame without a mask',
      section: '5.1',
      expected: FAILS_1002,
      known: { uws: 'close 4572, end' },
      run: exchange([frameBytes({ opcode: Opcode.CLOSE, body: closeBody(1000), isMasked: false })]),
    },
    failing('an empty frame without a mask', '5.1', { opcode: Opcode.BINARY, isMasked: false }),
    {
      title: 'a frame without a mask, after one with it',
      section: '5.1',
      expected: ECHO_FAILS_1002,
      run: exchange(together(binary(HELLO), binary(HELLO, { isMasked: false })), HELLO),
    },
  ],
};

export const framingGroups: readonly Group[] = [lengths, bits, opcodes, masks];
