import type uWS from 'uWebSockets.js';
import { SLOW_CLOSE_MS } from '@tidewire/core';
import { closeReason } from './close-reason.js';
import { type Connection, Sent } from './transport.js';

/** What a socket carries; uWebSockets copies it to its own object. */
export interface UserData<C> {
  /** Of the peer, as text; dropped once it is open. */
  address: string;
  /** From its opening on. */
  connection: UwsConnection<C> | undefined;
}

/** How to close once the buffer has room for it, at the latest by `timer`. */
interface Ending {
  readonly code: number;
  readonly reason: string;
  readonly timer: NodeJS.Timeout;
}

const DROPPED = 2; // what uWebSockets' send returns beyond maxBackpressure

/** One connection on uWebSockets.js. */
export class UwsConnection<C> implements Connection {
  /** A message was dropped: none may follow it. */
  isSlow = false;
  /** What the handlers know it by, from its opening on. */
  context: C | undefined;
  /** Its index among the transport's connections. */
  place: number;
  /** Undefined once uWebSockets has closed it: it must not be touched any more. */
  #socket: uWS.WebSocket<UserData<C>> | undefined;
  readonly #bufferBytesMax: number;
  #ending: Ending | undefined;

  constructor(socket: uWS.WebSocket<UserData<C>>, bufferBytesMax: number, place: number) {
    this.#socket = socket;
    this.#bufferBytesMax = bufferBytesMax;
    this.place = place;
  }

  get isOpen(): boolean {
    return this.#socket !== undefined;
  }

  /** uWebSockets has closed it. */
  markClosed(): void {
    this.#socket = undefined;
    clearTimeout(this.#ending?.timer);
  }

  send(bytes: Uint8Array): Sent {
    if (this.#socket === undefined || this.#ending !== undefined) return Sent.OK;
    if (this.isSlow) return Sent.DROPPED;
    return this.#socket.send(bytes, true) === DROPPED ? Sent.DROPPED : Sent.OK;
  }

  bufferedBytes(): number {
    return this.#socket?.getBufferedAmount() ?? 0;
  }

  join(topic: number): void {
    this.#socket?.subscribe(String(topic));
  }

  leave(topic: number): void {
    this.#socket?.unsubscribe(String(topic));
  }

  /** Beyond the limit of the buffer uWebSockets would drop the close frame too. */
  close(code: number, reason: string): void {
    if (this.#socket === undefined || this.#ending !== undefined) return;
    if (this.bufferedBytes() <= this.#bufferBytesMax) {
      this.#socket.end(code, closeReason(reason));
      return;
    }
    const timer = setTimeout(() => this.#socket?.close(), SLOW_CLOSE_MS);
    this.#ending = { code, reason: closeReason(reason), timer };
  }

  /** The peer has read something. */
  onDrain(): void {
    if (this.#ending === undefined || this.bufferedBytes() > this.#bufferBytesMax) return;
    this.#socket?.end(this.#ending.code, this.#ending.reason);
  }
}
