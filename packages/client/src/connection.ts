import { Code } from '@tidewire/core';
import { BACKOFF_MAX_MS, backoffMs } from './backoff.js';
import { TidewireError } from './error.js';
import { Link, type LinkOptions, type ServerInfo } from './link.js';
import type { ServerBody } from './protocol.js';
import { fetchToken, type TokenCallback } from './token-source.js';

/** `connecting` only before the first Welcome; `closed` is for good. */
export type ConnectionState = 'connecting' | 'connected' | 'reconnecting' | 'closed';

export interface ConnectionHandlers {
  /** A connection stands, the first one or a later one. */
  onReady(): void;
  onBody(body: ServerBody): void;
  /** The connection is lost; another one will be tried. */
  onLost(): void;
  /** There will be no connection any more. */
  onEnd(error: TidewireError): void;
  /** `error`: what ended the connection before. */
  onState(state: ConnectionState, error: TidewireError | undefined): void;
}

export type ConnectionOptions = Omit<LinkOptions, 'token'>;

/** Keeps a link up: a lost one is replaced after a pause, until `close` or a final refusal. */
export class Connection {
  readonly #options: ConnectionOptions;
  #handlers: ConnectionHandlers | undefined;
  #state: ConnectionState = 'connecting';
  #link: Link | undefined;
  #server: ServerInfo | undefined;
  #attempt = 0;
  #isPaused = false;
  #readyAtMs = 0;
  #cancelRetry: () => void = () => {};

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  get isReady(): boolean {
    return this.#state === 'connected';
  }

  /** By the last Welcome. REQUIRES: there has been one. */
  get server(): ServerInfo {
    return this.#server as ServerInfo;
  }

  open(handlers: ConnectionHandlers): void {
    this.#handlers = handlers;
    this.#openLink();
  }

  /** REQUIRES: `isReady`. */
  send(frame: Uint8Array<ArrayBuffer>): void {
    this.#link?.send(frame);
  }

  /** Reads no further, on later links neither, until `resume`. */
  pause(): void {
    this.#isPaused = true;
    if (this.isReady) this.#link?.pause();
  }

  resume(): void {
    this.#isPaused = false;
    this.#link?.resume();
  }

  /** Gives up the present link as if it had been lost. */
  fail(error: TidewireError): void {
    this.#link?.fail(error);
  }

  close(): void {
    if (this.#state === 'closed') return;
    this.#link?.close();
    this.#finish(new TidewireError(Code.UNAVAILABLE, 'The client is closed.'), undefined);
  }

  #openLink(): void {
    const { tokenSource } = this.#options;
    if (typeof tokenSource === 'string') this.#openWith(tokenSource);
    else void this.#openFetching(tokenSource);
  }

  async #openFetching(source: TokenCallback): Promise<void> {
    const { environment, connectTimeoutMs: timeoutMs } = this.#options;
    try {
      const token = await fetchToken(source, { environment, timeoutMs });
      if (this.#state !== 'closed') this.#openWith(token);
    } catch (error) {
      if (!(error instanceof TidewireError)) throw error;
      this.#onDown(error, false);
    }
  }

  #openWith(token: string): void {
    const options = { ...this.#options, token };
    this.#link = new Link(options, {
      onReady: (server) => this.#onReady(server),
      onBody: (body) => this.#handlers?.onBody(body),
      onDown: (error, isFinal) => this.#onDown(error, isFinal),
    });
  }

  #onReady(server: ServerInfo): void {
    this.#server = server;
    this.#readyAtMs = this.#options.environment.monotonicMs();
    this.#enter('connected', undefined);
    this.#handlers?.onReady();
    if (this.#isPaused) this.#link?.pause();
  }

  #onDown(error: TidewireError, isFinal: boolean): void {
    const before = this.#state;
    if (before === 'closed') return;
    if (isFinal || before === 'connecting') {
      this.#finish(error, error);
      return;
    }
    if (before === 'connected') this.#onLost(error);
    this.#planRetry(error.retryAfterMs);
  }

  #onLost(error: TidewireError): void {
    const livedMs = this.#options.environment.monotonicMs() - this.#readyAtMs;
    if (livedMs >= BACKOFF_MAX_MS) this.#attempt = 0;
    this.#enter('reconnecting', error);
    this.#handlers?.onLost();
  }

  #planRetry(retryAfterMs: number): void {
    const { environment } = this.#options;
    const pauseMs = Math.max(retryAfterMs, backoffMs(this.#attempt, environment.random()));
    this.#attempt++;
    this.#cancelRetry = environment.startTimer(() => this.#openLink(), pauseMs);
  }

  #finish(error: TidewireError, reason: TidewireError | undefined): void {
    this.#cancelRetry();
    this.#enter('closed', reason);
    this.#handlers?.onEnd(error);
  }

  #enter(state: ConnectionState, error: TidewireError | undefined): void {
    this.#state = state;
    this.#handlers?.onState(state, error);
  }
}
