import { connect, type Socket } from 'node:net';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { PROTOCOL_VERSION } from '@tidewire/core';
import { ClientFrameSchema } from '@tidewire/schemas';
import { maskedMessage, upgradeRequest, WebSocketReader } from '../load/websocket.js';

type Body = MessageInitShape<typeof ClientFrameSchema>['body'];

/** One connection of an attacker, from its opening to its end, whoever ends it. */
export class HostileCall extends WebSocketReader {
  bytes = 0;
  readonly socket: Socket;
  readonly #port: number;
  #onUpgraded: () => void = () => {};
  /** The server has said something, which is Welcome first. */
  onHeard: () => void = () => {};
  #held: Buffer = Buffer.alloc(0);
  #end = 'cut';

  /** `onEnd`: is told once, what the end was. */
  constructor(port: number, address: string, onEnd: (end: string) => void) {
    super();
    this.#port = port;
    this.socket = connect({ port, host: '127.0.0.1', localAddress: address, noDelay: true });
    this.socket.on('data', (chunk) => this.#onData(chunk));
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') this.#end = 'refused';
    });
    this.socket.on('close', () => onEnd(this.#end));
  }

  write(bytes: Uint8Array): boolean {
    this.bytes += bytes.length;
    return this.socket.write(bytes);
  }

  /** Asks for the upgrade, then goes on. */
  upgrade(then: () => void): void {
    this.#onUpgraded = then;
    this.socket.on('connect', () => this.write(upgradeRequest(this.#port)));
  }

  hello(token: string): void {
    this.say({ case: 'hello', value: { protocolVersion: PROTOCOL_VERSION, node: 1, token } });
  }

  say(body: Body): void {
    if (body === undefined) return;
    this.write(maskedMessage(toBinary(ClientFrameSchema, create(ClientFrameSchema, { body }))));
  }

  leave(): void {
    this.#end = 'left';
    this.socket.destroy();
  }

  protected override onUpgrade(): void {
    this.#onUpgraded();
  }

  protected override onMessage(): void {
    this.onHeard();
  }

  protected override onPing(pong: Uint8Array): void {
    this.write(pong);
  }

  protected override onFault(message: string): void {
    this.#end =
      /closed the connection: (\d+)/.exec(message)?.[1] ??
      /HTTP\S+ (\d+)/.exec(message)?.[1] ??
      'fault';
    this.socket.destroy();
  }

  #onData(chunk: Buffer): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    this.#held = Buffer.from(bytes.subarray(this.scan(bytes, 0, bytes.length)));
  }
}
