import { Code, closeCodeOf, isRefusal, PROTOCOL_VERSION } from '@tidewire/core';
import type { Error as ErrorFrame, Limits, Welcome } from '@tidewire/schemas';
import type { Cursor } from './cursor.js';
import type { Environment, Socket } from './environment.js';
import { TidewireError } from './error.js';
import { heartbeatAt } from './heartbeat.js';
import { lossSentence } from './loss-sentence.js';
import {
  badFrame,
  decodeServerFrame,
  encodeHello,
  encodePing,
  encodeRefresh,
  type ServerBody,
} from './protocol.js';
import type { ServerClock } from './server-clock.js';
import { TokenRefresh } from './token-refresh.js';
import type { TokenSource } from './token-source.js';

/** What a server says of itself in its Welcome. */
export interface ServerInfo {
  readonly version: string;
  /** The server's start number: sequences are comparable within one epoch. */
  readonly epoch: bigint;
  /** Names the database behind the server. */
  readonly store: bigint;
  /** 16 bytes of this connection, by which forgotten keys are hashed. */
  readonly salt: Uint8Array;
  readonly limits: Readonly<Omit<Limits, '$typeName' | '$unknown'>>;
  /** What this client had put while connected stands as it was left. */
  readonly holdsPresence: boolean;
  /** Names what the server remembers of this client's updates. */
  readonly memory: bigint;
}

export interface LinkHandlers {
  onReady(server: ServerInfo): void;
  /** Any frame after Welcome. A TidewireError thrown here ends the link: the frame was bad. */
  onBody(body: ServerBody): void;
  /** Called once, unless `close` was called. `isFinal`: another attempt would end the same way. */
  onDown(error: TidewireError, isFinal: boolean): void;
}

export interface LinkOptions {
  readonly url: string;
  /** Shown in Hello, and where the next ones come from. */
  readonly token: string;
  readonly tokenSource: TokenSource;
  /** By which the server knows this client again. */
  readonly resumeToken: Uint8Array;
  readonly connectTimeoutMs: number;
  readonly environment: Environment;
  readonly clock: ServerClock;
  readonly cursor: Cursor;
}

const SALT_BYTES = 16;

/** The same identity would be refused again, unless the server says when to try. */
const FINAL: ReadonlySet<Code> = new Set([Code.UNAUTHENTICATED, Code.FORBIDDEN]);

/** One WebSocket from opening to its end: greeting, heartbeats, decoding. Never reopened. */
export class Link {
  readonly #options: LinkOptions;
  readonly #handlers: LinkHandlers;
  readonly #socket: Socket;
  readonly #refresh: TokenRefresh;
  #state: 'opening' | 'greeting' | 'ready' | 'down' = 'opening';
  #cancelTimer: () => void;
  #limits: ServerInfo['limits'] | undefined;
  #sentAtMs = 0;
  #receivedAtMs = 0;
  #pingedAtMs = 0;
  #isPaused = false;
  /** What the socket told of its trouble before it closed. */
  #trouble = '';

  constructor(options: LinkOptions, handlers: LinkHandlers) {
    const { environment, url, connectTimeoutMs } = options;
    this.#options = options;
    this.#handlers = handlers;
    this.#cancelTimer = environment.startTimer(
      () => this.fail(new TidewireError(Code.UNAVAILABLE, `No answer from ${url} in time.`)),
      connectTimeoutMs,
    );
    this.#refresh = new TokenRefresh({
      source: options.tokenSource,
      environment,
      timeoutMs: connectTimeoutMs,
      send: (token) => this.send(encodeRefresh(options.clock.packed, token)),
    });
    this.#socket = new environment.WebSocket(url);
    this.#socket.binaryType = 'arraybuffer';
    this.#socket.onopen = () => this.#onOpen();
    this.#socket.onmessage = (event: { data: unknown }) => this.#onMessage(event.data);
    this.#socket.onerror = (event: { message?: string }) => {
      this.#trouble = event.message ?? '';
    };
    this.#socket.onclose = (event: { code: number; reason: string }) => this.#onClose(event);
  }

  send(frame: Uint8Array<ArrayBuffer>): void {
    this.#sentAtMs = this.#options.environment.monotonicMs();
    this.#socket.send(frame);
  }

  /** Reads no further, where the socket can do that. REQUIRES: the server has welcomed this client. */
  pause(): void {
    if (this.#socket.pause === undefined) return;
    this.#isPaused = true;
    this.#socket.pause();
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#receivedAtMs = this.#options.environment.monotonicMs(); // it was not the server that was silent
    this.#socket.resume?.();
  }

  close(): void {
    this.#shut(1000, 'closed by the client');
  }

  /** Gives the connection up and says so. */
  fail(error: TidewireError): void {
    if (this.#state === 'down') return;
    const isFinal = this.#isUnwelcome(error) || this.#isMisunderstood(error);
    this.#shut(closeCodeOf(error.code), error.name);
    this.#handlers.onDown(error, isFinal);
  }

  #onOpen(): void {
    this.#state = 'greeting';
    const { clock, token, resumeToken, cursor } = this.#options;
    this.send(encodeHello({ node: clock.node, token, resumeToken, cursor: cursor.fields }));
  }

  #onMessage(data: unknown): void {
    try {
      this.#onFrame(data);
    } catch (error) {
      if (!(error instanceof TidewireError)) throw error;
      this.fail(error);
    }
  }

  #onFrame(data: unknown): void {
    const { clock, body } = decodeServerFrame(data);
    this.#receivedAtMs = this.#options.environment.monotonicMs();
    if (body.case === 'error' && body.value.subscriptionId === 0) throw frameErrorOf(body.value);
    if (this.#state === 'greeting') {
      this.#onWelcome(clock, body);
      return;
    }
    if (body.case === 'welcome') throw badFrame('is a second Welcome');
    this.#options.clock.observe(clock);
    if (body.case === 'refreshed') this.#refresh.onValidUntil(body.value.validUntilMs, clock);
    else this.#handlers.onBody(body);
  }

  #onWelcome(clock: bigint, body: ServerBody): void {
    if (body.case !== 'welcome') throw badFrame('came before its Welcome');
    const {
      protocolVersion,
      epoch,
      serverVersion: version,
      store,
      salt,
      holdsPresence,
      memory,
    } = body.value;
    if (protocolVersion !== PROTOCOL_VERSION)
      throw new TidewireError(Code.INVALID, `The server speaks protocol ${protocolVersion}.`);
    if (salt.length !== SALT_BYTES) throw badFrame(`has a salt of ${salt.length} bytes`);
    if (memory === 0n) throw badFrame('names no memory');
    const limits = limitsOf(body.value);
    this.#options.clock.restart(clock, {
      driftMs: limits.driftMsMax,
      roundTripMs: this.#receivedAtMs - this.#sentAtMs,
    });
    this.#limits = limits;
    this.#state = 'ready';
    this.#cancelTimer();
    this.#beat();
    this.#refresh.onValidUntil(body.value.validUntilMs, clock);
    this.#handlers.onReady({ version, epoch, store, salt, limits, holdsPresence, memory });
  }

  #beat(): void {
    const { environment, clock } = this.#options;
    const nowMs = environment.monotonicMs();
    const limits = this.#limits as ServerInfo['limits'];
    const seen = {
      sentAtMs: this.#sentAtMs,
      receivedAtMs: this.#isPaused ? nowMs : this.#receivedAtMs,
      pingedAtMs: this.#pingedAtMs,
    };
    const intervals = {
      intervalMs: limits.heartbeatIntervalMs,
      timeoutMs: limits.heartbeatTimeoutMs,
    };
    const next = heartbeatAt(nowMs, seen, intervals);
    if (next.kind === 'dead') {
      this.fail(new TidewireError(Code.UNAVAILABLE, 'The server has fallen silent.'));
      return;
    }
    if (next.kind === 'ping') {
      this.#pingedAtMs = nowMs;
      this.send(encodePing(clock.packed));
    }
    this.#cancelTimer = environment.startTimer(() => this.#beat(), next.waitMs);
  }

  #onClose(event: { code: number; reason: string }): void {
    if (this.#state === 'down') return;
    const code = event.code - closeCodeOf(Code.UNSPECIFIED);
    this.fail(
      isRefusal(code)
        ? new TidewireError(code, event.reason)
        : new TidewireError(
            Code.UNAVAILABLE,
            lossSentence(this.#options.url, this.#state === 'opening', this.#trouble),
          ),
    );
  }

  /** A token that has ended is another matter where the next connection shows a new one. */
  #isUnwelcome({ code, retryAfterMs }: TidewireError): boolean {
    if (retryAfterMs > 0) return false;
    const hasEnded = code === Code.UNAUTHENTICATED && this.#state === 'ready';
    return FINAL.has(code) && !(hasEnded && typeof this.#options.tokenSource === 'function');
  }

  /** The two do not even agree on the greeting. */
  #isMisunderstood(error: TidewireError): boolean {
    return this.#state === 'greeting' && error.code === Code.INVALID;
  }

  #shut(code: number, reason: string): void {
    if (this.#state === 'down') return;
    this.#state = 'down';
    this.#cancelTimer();
    this.#refresh.cancel();
    this.#socket.onmessage = null;
    this.#socket.close(code, reason);
  }
}

function frameErrorOf(frame: ErrorFrame): TidewireError {
  const code = isRefusal(frame.code) ? frame.code : Code.INVALID;
  return new TidewireError(code, frame.detail, { retryAfterMs: frame.retryAfterMs });
}

/** @throws TidewireError INVALID unless every limit is announced. */
function limitsOf(welcome: Welcome): ServerInfo['limits'] {
  const limits = welcome.limits;
  if (limits === undefined) throw badFrame('announces no limits');
  const { $typeName: _, $unknown: __, ...announced } = limits;
  for (const [name, limit] of Object.entries(announced))
    if (limit !== undefined && limit < 1) throw badFrame(`announces no ${name}`);
  return announced;
}
