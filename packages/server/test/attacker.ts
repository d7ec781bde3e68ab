import { isRefusal } from '@tidewire/core';
import { Code } from '@tidewire/schemas';
import type { Expected, HostileFrame } from './hostile-frames.js';
import { HostileSocket } from './hostile-socket.js';
import { get, put, textOf } from './operations.js';
import { encodeFrame, RawClient } from './raw-client.js';

const HELLO = encodeFrame({ case: 'hello', value: { protocolVersion: 1, node: 5 } });
const CLOSED_WELL = new Set([4000 + Code.INVALID, 4000 + Code.TOO_LARGE]);

/** What came of a hostile frame. */
export type Fate = 'refused' | 'closed' | 'valid';

/** One who sends a frame, waits for the answer, and comes back when shut out. */
export class Attacker {
  readonly #port: number;
  #socket: HostileSocket | undefined;
  #token = 0n;

  constructor(port: number) {
    this.#port = port;
  }

  async send({ bytes, expected }: HostileFrame): Promise<Fate> {
    const socket = await this.#entered();
    const token = ++this.#token;
    socket.frames.length = 0;
    socket.say(bytes, encodeFrame({ case: 'ping', value: { token } }));
    const goesOn = await socket.heard(
      ({ body }) => body.case === 'pong' && body.value.token === token,
    );
    const fate = goesOn ? await this.#answerOf(socket, expected) : await this.#endOf(socket);
    if (expected !== 'any' && fate !== expected)
      throw new Error(`${Buffer.from(bytes).toString('hex')} is ${fate}, not ${expected}`);
    return fate;
  }

  /** Sends bytes that may be no WebSocket frame at all, and leaves. */
  async sendRaw(bytes: Uint8Array): Promise<void> {
    const socket = await this.#entered();
    socket.sayRaw(bytes);
    this.leave();
    await socket.closed;
  }

  leave(): void {
    this.#socket?.reset();
    this.#socket = undefined;
  }

  async #entered(): Promise<HostileSocket> {
    if (this.#socket !== undefined) return this.#socket;
    const socket = await HostileSocket.open(this.#port);
    socket.say(HELLO);
    if (!(await socket.heard(({ body }) => body.case === 'welcome'))) throw new Error('no Welcome');
    this.#socket = socket;
    return socket;
  }

  /** The connection goes on: the frame was valid, or each of its operations was refused. */
  async #answerOf(socket: HostileSocket, expected: Expected): Promise<Fate> {
    const isRefused = (): boolean =>
      socket.frames.some(
        ({ body }) =>
          (body.case === 'error' && isRefusal(body.value.code)) ||
          (body.case === 'results' && body.value.results.some(({ refusal }) => isRefusal(refusal))),
      );
    if (expected === 'refused') await socket.heard(isRefused);
    return isRefused() ? 'refused' : 'valid';
  }

  async #endOf(socket: HostileSocket): Promise<Fate> {
    this.#socket = undefined;
    const code = await socket.closed;
    const named = socket.frames.some(({ body }) => body.case === 'error');
    if (!CLOSED_WELL.has(code) || !named) throw new Error(`closed with ${code}`);
    return 'closed';
  }
}

/** Another client, whose operations are all answered as ever, whatever others send. */
export class Bystander {
  readonly client: RawClient;
  asked = 0;
  /** Its questions overlap: a read may be so many writes behind. */
  readonly #staleMax: number;

  private constructor(client: RawClient, staleMax: number) {
    this.client = client;
    this.#staleMax = staleMax;
  }

  static async enter(url: string, staleMax: number): Promise<Bystander> {
    return new Bystander(await RawClient.connect(url, 6), staleMax);
  }

  /** Rejects if it was disturbed. */
  async ask(): Promise<void> {
    const count = ++this.asked;
    const [written, found] = await this.client.operate(
      put('honest', `k${count % 100}`, String(count)),
      get('honest', `k${count % 100}`),
    );
    if (written.outcome !== Code.APPLIED || found.outcome !== Code.FOUND)
      throw new Error(`an honest operation was answered ${written.refusal}, ${found.outcome}`);
    if (Number(textOf(found.value)) < count - this.#staleMax * 100) throw new Error('a stale read');
  }
}
