import { Code, unreachable } from '@tidewire/core';
import type { Result } from '@tidewire/schemas';
import { Connection, type ConnectionState } from './connection.js';
import { Cursor } from './cursor.js';
import { type Environment, platformEnvironment, type SocketConstructor } from './environment.js';
import { TidewireError } from './error.js';
import type { ServerInfo } from './link.js';
import { OperationSender } from './operation-sender.js';
import { Presence } from './presence.js';
import type { ServerBody } from './protocol.js';
import { QuerySender } from './query-sender.js';
import { ServerClock } from './server-clock.js';
import type { Stamp } from './stamp.js';
import { Subscriber } from './subscriber.js';
import type { TokenSource } from './token-source.js';
import { TypedMap } from './typed-map.js';
import { WriteLog } from './write-log.js';

const CONNECT_TIMEOUT_MS = 10_000;
const OPERATION_TIMEOUT_MS = 30_000;

export interface ClientOptions {
  /**
   * JSON Web Token, if the server asks for one, or what gets it: called for each connection, and in
   * time before a token ends, so that the connection stays.
   */
  readonly token?: TokenSource;
  /** How long one attempt to connect may take until the server's Welcome. Default 10 s. */
  readonly connectTimeoutMs?: number;
  /** How long an operation may stay unanswered, lost connections included. Default 30 s. */
  readonly operationTimeoutMs?: number;
  /** Called at every change of state; `error` says what ended a connection. */
  readonly onState?: (state: ConnectionState, error: TidewireError | undefined) => void;
  /** Default: the platform's own `WebSocket`. */
  readonly WebSocket?: SocketConstructor;
  /** Clock, timers and randomness, for tests. */
  readonly environment?: Environment;
}

/**
 * Connects and resolves once the server has welcomed this client. Only this first attempt fails at
 * once; a connection lost later is replaced, again and again, until `close`.
 *
 * @throws TidewireError INVALID for a wrong address, UNAVAILABLE if nobody answers there, or the
 *   server's refusal.
 */
export async function connect(url: string, options: ClientOptions = {}): Promise<Client> {
  const client = new Client(url, options);
  await client.open();
  return client;
}

/** A connection to a Tidewire server that mends itself. */
export class Client {
  readonly #connection: Connection;
  readonly #clock: ServerClock;
  readonly #cursor = new Cursor();
  readonly #environment: Environment;
  readonly #sender: OperationSender;
  readonly #log: WriteLog;
  readonly #presence: Presence;
  readonly #querySender: QuerySender;
  readonly #subscriber: Subscriber;
  readonly #onState: ClientOptions['onState'];

  constructor(url: string, options: ClientOptions) {
    const environment = options.environment ?? platformEnvironment(socketOf(options));
    const clock = new ServerClock({
      node: environment.randomNode(),
      monotonicMs: () => environment.monotonicMs(),
    });
    const cursor = this.#cursor;
    const connection = new Connection({
      url: checkedUrl(url),
      tokenSource: options.token ?? '',
      resumeToken: environment.randomToken(),
      connectTimeoutMs: options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS,
      environment,
      clock,
      cursor,
    });
    const timeoutMs = options.operationTimeoutMs ?? OPERATION_TIMEOUT_MS;
    this.#environment = environment;
    this.#clock = clock;
    this.#connection = connection;
    this.#sender = new OperationSender({ connection, clock, environment, timeoutMs });
    this.#log = new WriteLog({ sender: this.#sender, connection, clock, environment });
    this.#presence = new Presence({
      sender: this.#sender,
      clock,
      reportError: (error) => environment.reportError(error),
    });
    this.#querySender = new QuerySender({ connection, clock, environment, timeoutMs });
    this.#subscriber = new Subscriber({ connection, clock, cursor, environment, timeoutMs });
    this.#onState = options.onState;
  }

  /** What `connect` waits for. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connection.open({
        onReady: () => {
          this.#subscriber.onReady();
          this.#presence.onReady(this.#connection.server.holdsPresence);
          this.#log.onReady();
          this.#sender.onReady();
          this.#querySender.onReady();
          resolve();
        },
        onBody: (body) => this.#onBody(body),
        onLost: () => {
          this.#subscriber.onLost();
          this.#log.onLost();
          this.#sender.onLost();
          this.#querySender.onLost();
        },
        onEnd: (error) => {
          this.#subscriber.onEnd(error);
          this.#log.onEnd();
          this.#sender.onEnd(error);
          this.#querySender.onEnd(error);
          reject(error);
        },
        onState: (state, error) => this.#reportState(state, error),
      });
    });
  }

  map<T = unknown>(name: string): TypedMap<T> {
    return new TypedMap<T>(name, {
      environment: this.#environment,
      connection: this.#connection,
      clock: this.#clock,
      sender: this.#sender,
      log: this.#log,
      presence: this.#presence,
      querySender: this.#querySender,
      subscriber: this.#subscriber,
    });
  }

  get state(): ConnectionState {
    return this.#connection.state;
  }

  /** By the last Welcome. */
  get server(): ServerInfo {
    return this.#connection.server;
  }

  /** This client's part of its stamps. */
  get node(): number {
    return this.#clock.node;
  }

  /** A stamp for now, above all earlier ones: for a write that may be repeated by hand. */
  nextStamp(): Stamp {
    return this.#clock.tick();
  }

  /**
   * Reads nothing more from the server until `resume`, answers neither: for whoever cannot take events as
   * fast as they come. Meanwhile the server counts this client as one that lags. Where the platform's
   * WebSocket cannot pause, as in browsers, it has no effect.
   */
  pause(): void {
    this.#connection.pause();
  }

  resume(): void {
    this.#connection.resume();
  }

  /** Ends the client. Unanswered operations reject: UNCERTAIN a write that was sent. */
  close(): void {
    this.#connection.close();
  }

  #onBody(body: ServerBody): void {
    switch (body.case) {
      case 'results':
        this.#onResults(body.value.results);
        break;
      case 'events':
        this.#subscriber.onEvents(body.value);
        break;
      case 'eventGroups':
        for (const group of body.value.groups) this.#subscriber.onEvents(group);
        break;
      case 'catchUp':
        this.#subscriber.onCatchUp(body.value);
        break;
      case 'progress':
        if (body.value.durable.length > 0) this.#log.onDurable(body.value.durable);
        else this.#subscriber.onProgress(body.value);
        break;
      case 'subscribed':
        this.#subscriber.onSubscribed(body.value);
        break;
      case 'lag':
        this.#subscriber.onLag(body.value.isLagging);
        break;
      case 'error':
        this.#subscriber.onError(body.value);
        break;
      case 'rows':
        this.#querySender.onRows(body.value);
        break;
      case 'refreshed': // by the link
      case 'unsubscribed': // nothing waits for it
      case 'pong':
      case 'welcome':
        break;
      default:
        unreachable(body);
    }
  }

  #onResults(results: readonly Result[]): void {
    for (const { partition, sequence } of results) this.#cursor.see(partition, Number(sequence));
    this.#sender.onResults(results);
  }

  #reportState(state: ConnectionState, error: TidewireError | undefined): void {
    try {
      this.#onState?.(state, error);
    } catch (thrown) {
      this.#environment.reportError(thrown);
    }
  }
}

function socketOf(options: ClientOptions): SocketConstructor {
  const platform = globalThis as { WebSocket?: SocketConstructor };
  const WebSocket = options.WebSocket ?? platform.WebSocket;
  if (WebSocket) return WebSocket;
  throw new TidewireError(
    Code.INVALID,
    'This platform has no WebSocket: pass one, or import from "@tidewire/client/node".',
  );
}

function checkedUrl(url: string): string {
  if (/^wss?:\/\//.test(url) && URL.canParse(url)) return url;
  throw new TidewireError(Code.INVALID, `"${url}" is not an address like ws://127.0.0.1:7271.`);
}
