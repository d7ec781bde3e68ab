import type uWS from 'uWebSockets.js';
import { SLOW_CLOSE_MS } from '@tidewire/core';
import { closeReason } from './close-reason.js';
import { type Connection, Sent } from './transport.js';

export interface UserData<C> {
  context: C | undefined;
  /** Of the peer, as text. */
  readonly address: string;
}

const DROPPED = 2; // what uWebSockets' send returns beyond maxBackpressure

/** One connection on uWebSockets.js. */
export class UwsConnection<C> implements Connection {
  /** A message was dropped: none may follow it. */
  isSlow = false;
  readonly #socket: uWS.WebSocket<UserData<C>>;
  readonly #bufferBytesMax: number;
  #isOpen = true;
  /** How to close once the buffer has room for it. */
  #ending: { readonly code: number; readonly reason: string } | undefined;
  #endingTimer: NodeJS.Timeout | undefined;

  constructor(socket: uWS.WebSocket<UserData<C>>, bufferBytesMax: number) {
    this.#socket = socket;
    this.#bufferBytesMax = bufferBytesMax;
  }

  /** The socket must not be touched once uWebSockets has closed it. */
  markClosed(): void {
    this.#isOpen = false;
    clearTimeout(this.#endingTimer);
  }

  send(bytes: Uint8Array): Sent {
    if (!this.#isOpen || this.#ending !== undefined) return Sent.OK;
    if (this.isSlow) return Sent.DROPPED;
    return this.#socket.send(bytes, true) === DROPPED ? Sent.DROPPED : Sent.OK;
  }

  bufferedBytes(): number {
    return this.#isOpen ? this.#socket.getBufferedAmount() : 0;
  }

  join(topic: number): void {
    if (this.#isOpen) this.#socket.subscribe(String(topic));
  }

  leave(topic: number): void {
    if (this.#isOpen) this.#socket.unsubscribe(String(topic));
  }

  /** uWebSockets tells nothing of a message before it is complete, and lets go of it in the moment of closing. */
  greet(): void {}

  /** Beyond the limit of the buffer uWebSockets would drop the close frame too. */
  close(code: number, reason: string): void {
    if (!this.#isOpen || this.#ending !== undefined) return;
    if (this.bufferedBytes() <= this.#bufferBytesMax) {
      this.#socket.end(code, closeReason(reason));
      return;
    }
    this.#ending = { code, reason: closeReason(reason) };
    this.#endingTimer = setTimeout(() => this.#socket.close(), SLOW_CLOSE_MS);
  }

  /** The peer has read something. */
  onDrain(): void {
    if (this.#ending === undefined || this.bufferedBytes() > this.#bufferBytesMax) return;
    this.#socket.end(this.#ending.code, this.#ending.reason);
  }
}
