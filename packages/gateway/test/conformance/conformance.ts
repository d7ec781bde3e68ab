import { TRANSPORT_FRAME_BYTES_MAX } from '@tidewire/core';
import type { Test } from 'tap';
import { frameBytes, Opcode, RawSocket } from '../raw-socket.js';
import { type CreateTransport, Served } from '../served.js';

export const TRANSPORT_NAMES = ['uws', 'ws'] as const;
export type Name = (typeof TRANSPORT_NAMES)[number];

/** Something that a client does, and what the server makes of it. */
export interface Case {
  readonly title: string;
  /** Of RFC 6455, unless it names another. */
  readonly section: string;
  /** What the RFC recommends, then what it also allows. */
  readonly expected: readonly string[];
  /** Where an implementation is known to do something else. */
  readonly known?: Partial<Record<Name, string>>;
  readonly run: (port: number) => Promise<string>;
}

export interface Group {
  readonly title: string;
  readonly cases: readonly Case[];
}

export const FAILS_1002: readonly string[] = ['close 1002, end', 'end'];
export const FAILS_1007: readonly string[] = ['close 1007, end', 'end'];
export const FAILS_1009: readonly string[] = ['close 1009, end', 'close 1002, end', 'end'];
/** As 1002, behind a message; its answer may get lost with the connection. */
export const ECHO_FAILS_1002: readonly string[] = ['echo, close 1002, end', 'echo, end', 'end'];

/** Whoever is asked something by this answer has not gone. */
const PROBE = 'still there?';
/** A server that says nothing for so long says nothing. */
const PATIENCE_MS = 20_000;
const FIN = 0x80;

/** A server as it is shipped: messages come back as they are, and a text as the message `text`. */
export async function serveEchoes(
  t: Pick<Test, 'teardown'>,
  create: CreateTransport,
): Promise<Served> {
  const served = await Served.start(t, create, { frameBytesMax: TRANSPORT_FRAME_BYTES_MAX });
  served.onMessage = ({ connection }, bytes) => void connection.send(bytes);
  served.onText = ({ connection }) => void connection.send(Buffer.from('text'));
  return served;
}

/** What a case comes to; `nothing` if the server is silent for too long. */
export async function outcomeOf(play: Case, port: number): Promise<string> {
  let late: NodeJS.Timeout | undefined;
  const silence = new Promise<string>((resolve) => {
    late = setTimeout(() => resolve('nothing'), PATIENCE_MS);
  });
  const outcome = await Promise.race([play.run(port), silence]);
  clearTimeout(late);
  return outcome;
}

/**
 * A client that is upgraded, sends these pieces and then asks whether the server is still there.
 * What is heard is written down in order: `echo` (of `message`), `text`, `pong`, `close` with its
 * code, and whether the connection is then `open` or at its `end`.
 */
export function exchange(pieces: readonly Buffer[], message?: Buffer): Case['run'] {
  return async (port) => {
    const socket = await RawSocket.open(port);
    const probe = frameBytes({ opcode: Opcode.PING, body: PROBE });
    const whole = pieces.length === 1 ? [Buffer.concat([...pieces, probe])] : [...pieces, probe];
    for (const piece of whole) {
      socket.write(piece);
      if (whole.length > 1) await new Promise((resolve) => setImmediate(resolve));
    }
    const isAnswered = (): boolean => socket.frames.some(({ body }) => body.equals(PROBE_BODY));
    const isOpen = await socket.until(isAnswered);
    const heard = heardBy(socket, message);
    socket.destroy();
    return [...heard, isOpen ? 'open' : 'end'].join(', ');
  };
}

const PROBE_BODY = Buffer.from(PROBE);

/** What has come over a socket, without the answer to the probe. */
export function heardBy(socket: RawSocket, message?: Buffer): string[] {
  return socket.frames
    .filter(({ body }) => !body.equals(PROBE_BODY))
    .map(({ first, body }) => {
      if (first === (FIN | Opcode.CLOSE)) return closeText(body);
      if (first === (FIN | Opcode.PONG)) return body.length === 0 ? 'pong' : `pong ${show(body)}`;
      if (first !== (FIN | Opcode.BINARY)) return `a frame that begins with ${first}`;
      if (message?.equals(body)) return 'echo';
      return body.equals(TEXT_BODY) ? 'text' : `message ${show(body)}`;
    });
}

const TEXT_BODY = Buffer.from('text');

function closeText(body: Buffer): string {
  if (body.length < 2) return 'close';
  const reason = body.length > 2 ? ` ${show(body.subarray(2))}` : '';
  return `close ${body.readUInt16BE(0)}${reason}`;
}

function show(body: Buffer): string {
  return body.length > 40 ? `of ${body.length} bytes` : body.toString();
}

/** The frames of one message, cut at these lengths; the last is final. */
export function fragments(opcode: number, ...bodies: readonly (Uint8Array | string)[]): Buffer[] {
  return bodies.map((body, i) =>
    frameBytes({
      opcode: i === 0 ? opcode : Opcode.CONTINUATION,
      body,
      isFinal: i === bodies.length - 1,
    }),
  );
}

export function byteByByte(bytes: Buffer): Buffer[] {
  return Array.from(bytes, (byte) => Buffer.of(byte));
}

/** All in one piece. */
export function together(...pieces: readonly Buffer[]): Buffer[] {
  return [Buffer.concat(pieces)];
}
