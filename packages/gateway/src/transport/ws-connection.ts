import type { Socket } from 'node:net';
import { GATHER_BYTES } from '@tidewire/core';
import type { WebSocket } from 'ws';
import { binaryFrame } from './binary-frame.js';
import { closeReason } from './close-reason.js';
import { type Connection, Sent } from './transport.js';

/** A quiet connection is looked at so often within its idle timeout, and pinged from the half on. */
export const SWEEPS = 8;

/** What a connection needs of its transport. */
export interface WsTransportFace {
  readonly bufferBytesMax: number;
  readonly strangerBytesMax: number;
  join(connection: WsConnection, topic: number): void;
  leave(connection: WsConnection, topic: number): void;
  dropped(connection: WsConnection): void;
}

/** One connection on `ws`. */
export class WsConnection implements Connection {
  readonly topics: Set<number> = new Set();
  /** A message was dropped: none may follow it. */
  isSlow = false;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #transport: WsTransportFace;
  #isOpen = true;
  /** Written in this turn and not yet handed to the system. */
  #gatheredBytes = 0;
  /** What the socket had read at the last sweep, and the sweeps since it read more. */
  #bytesRead = 0;
  #quietSweeps = 0;
  /** Sent while it is a stranger. Of a message not yet complete all is kept, so this bounds that. */
  #strangerBytes = 0;
  #isStranger = true;

  constructor(webSocket: WebSocket, socket: Socket, transport: WsTransportFace) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.#transport = transport;
    socket.on('data', this.#onStrangerBytes); // behind the library: a Hello in these has been heard
  }

  get isOpen(): boolean {
    return this.#isOpen && this.#webSocket.readyState === this.#webSocket.OPEN;
  }

  send(bytes: Uint8Array): Sent {
    return this.write(binaryFrame(bytes));
  }

  /** Queues a whole frame, which must not be changed any more. */
  write(frame: Buffer): Sent {
    if (!this.isOpen) return Sent.OK;
    if (this.isSlow) return Sent.DROPPED;
    if (this.bufferedBytes() > this.#transport.bufferBytesMax) {
      this.isSlow = true;
      this.#transport.dropped(this);
      return Sent.DROPPED;
    }
    if (this.#gatheredBytes === 0) {
      this.#socket.cork();
      process.nextTick(() => this.#release());
    }
    this.#socket.write(frame);
    this.#gatheredBytes += frame.length;
    if (this.#gatheredBytes >= GATHER_BYTES) this.#release();
    return Sent.OK;
  }

  bufferedBytes(): number {
    return this.isOpen ? this.#socket.writableLength : 0;
  }

  join(topic: number): void {
    if (this.isOpen) this.#transport.join(this, topic);
  }

  leave(topic: number): void {
    this.#transport.leave(this, topic);
  }

  greet(): void {
    this.#isStranger = false;
    this.#socket.off('data', this.#onStrangerBytes);
  }

  /**
   * The frame waits behind what is buffered; a peer that does not answer it in time is cut off, a stranger
   * as soon as it has been written.
   */
  close(code: number, reason: string): void {
    if (!this.isOpen) return;
    this.#isOpen = false;
    this.#webSocket.close(code, closeReason(reason));
    if (!this.#isStranger) return;
    this.#release();
    this.#socket.destroySoon();
  }

  /** Called SWEEPS times in an idle timeout. */
  sweep(): void {
    const { bytesRead } = this.#socket;
    this.#quietSweeps = bytesRead === this.#bytesRead ? this.#quietSweeps + 1 : 0;
    this.#bytesRead = bytesRead;
    if (this.#quietSweeps >= SWEEPS) this.#webSocket.terminate();
    else if (this.#quietSweeps >= SWEEPS / 2 && this.isOpen) this.#webSocket.ping();
  }

  readonly #onStrangerBytes = ({ length }: Buffer): void => {
    this.#strangerBytes += length;
    if (this.#strangerBytes > this.#transport.strangerBytesMax) this.#webSocket.terminate();
  };

  /** What was written in one turn leaves in one system call. */
  #release(): void {
    if (this.#gatheredBytes === 0) return;
    this.#gatheredBytes = 0;
    this.#socket.uncork();
  }
}
