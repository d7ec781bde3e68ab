import type uWS from 'uWebSockets.js';
import { readTls } from './tls-files.js';
import {
  type HttpAnswer,
  NO_UPGRADE,
  ONLY_GET,
  ORIGIN_REFUSED,
  portRefused,
  retryAfterOf,
  type TlsFiles,
  type Transport,
  type TransportHandlers,
  type TransportOptions,
} from './transport.js';
import { type UserData, UwsConnection } from './uws-connection.js';

/** The binary has these; its typings do not. */
declare module 'uWebSockets.js' {
  const LIBUS_LISTEN_EXCLUSIVE_PORT: number;
  interface TemplatedApp {
    listen(
      host: string,
      port: number,
      options: number,
      callback: (socket: us_listen_socket | false) => void,
    ): TemplatedApp;
  }
}

const BAD_REQUEST = '400 Bad Request';
const ALLOW = { allow: 'GET' };
const VERSION = { 'sec-websocket-version': '13' };
const JSON_TYPE = { 'content-type': 'application/json' };

type UwsModule = typeof uWS;

interface UwsApp {
  readonly app: uWS.TemplatedApp;
  connections: number;
}

interface Listening {
  readonly socket: uWS.us_listen_socket;
  readonly host: string;
  readonly port: number;
}

/**
 * WebSockets on uWebSockets.js, which must run on the main thread: a worker that dies with an open
 * app aborts the process. The binary exists for Node 20 with glibc ≥ 2.27 and for Node 22, 24 and 25
 * with glibc ≥ 2.38.
 */
export async function createUwsTransport<C>(
  handlers: TransportHandlers<C>,
  options: TransportOptions,
): Promise<Transport> {
  if (options.tls !== undefined) await readTls(options.tls); // uWebSockets does not say what is wrong
  return new UwsTransport(await loadUws(), handlers, options);
}

/** Why uWebSockets cannot be used here, as a sentence; undefined: it can. */
export async function uwsMissing(): Promise<string | undefined> {
  try {
    await loadUws();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

async function loadUws(): Promise<UwsModule> {
  try {
    return (await import('uWebSockets.js')).default;
  } catch (cause) {
    throw new Error(
      `uWebSockets.js has no binary for Node ${process.versions.node} on this system: ` +
        'use Node 20 with glibc 2.27 or newer, or Node 22, 24 or 25 with glibc 2.38 or newer.',
      { cause },
    );
  }
}

class UwsTransport<C> implements Transport {
  readonly #uws: UwsModule;
  readonly #handlers: TransportHandlers<C>;
  readonly #options: TransportOptions;
  /** The newest listens; older ones keep the connections that were made under an older certificate. */
  #apps: [UwsApp, ...UwsApp[]];
  /** Each at its place, in no order. */
  readonly #connections: UwsConnection<C>[] = [];
  /** Have dropped a message, which the handler has not been told. */
  #slow: UwsConnection<C>[] = [];
  #listening: Listening | undefined;
  #isClosed = false;
  /** Whose request was answered last; uWebSockets closes its socket before it does anything else. */
  #answered: string | undefined;
  #isTurningAway = false;

  constructor(uws: UwsModule, handlers: TransportHandlers<C>, options: TransportOptions) {
    this.#uws = uws;
    this.#handlers = handlers;
    this.#options = options;
    this.#apps = [this.#createApp()];
  }

  async listen(host: string, port: number): Promise<number> {
    this.#listening = this.#listen(host, port);
    if (port !== 0 || this.#options.tls === undefined) return this.#listening.port;
    // Only a port asked for by its number can be listened on again beside connections that stand.
    const { port: free } = this.#listening;
    this.stopListening();
    this.#listening = this.#listen(host, free);
    return free;
  }

  publish(topic: number, bytes: Uint8Array): void {
    if (this.#slow.length > 0) this.#tellDropped();
    for (const { app } of this.#apps) app.publish(String(topic), bytes, true);
  }

  stopListening(): void {
    if (this.#listening !== undefined) this.#uws.us_listen_socket_close(this.#listening.socket);
    this.#listening = undefined;
  }

  /**
   * uWebSockets keeps the certificate that an app began with, so newcomers get a new app. Between the
   * old listener and the new one nothing else runs, but the system resets who has just knocked.
   */
  async reloadTls(): Promise<void> {
    if (this.#options.tls === undefined) return;
    await readTls(this.#options.tls);
    const listening = this.#listening;
    if (listening === undefined) return;
    this.#apps = [this.#createApp(), ...this.#apps];
    this.stopListening();
    this.#listening = this.#listen(listening.host, listening.port);
    for (const old of this.#apps.slice(1)) this.#maybeRetire(old);
  }

  close(): void {
    this.stopListening();
    for (const connection of [...this.#connections]) connection.close(1001, 'The server stops.');
    this.#isClosed = true;
    for (const { app } of this.#apps) app.close();
  }

  #createApp(): UwsApp {
    const handlers = this.#handlers;
    const { tls, frameBytesMax, bufferBytesMax, idleTimeoutMs } = this.#options;
    const app = tls === undefined ? this.#uws.App() : this.#uws.SSLApp(tlsOptions(tls));
    const own = { app, connections: 0 };
    app.ws<UserData<C>>('/*', {
      maxPayloadLength: frameBytesMax,
      maxBackpressure: bufferBytesMax,
      idleTimeout: idleTimeoutMs / 1000,
      sendPingsAutomatically: true,
      compression: this.#uws.DISABLED,
      upgrade: (response, request, socketContext) =>
        this.#upgrade(response, request, socketContext),
      open: (socket) => this.#open(socket, own),
      message: (socket, message, isBinary) => {
        const context = socket.getUserData().connection?.context;
        if (context === undefined) return;
        if (isBinary) handlers.onMessage(context, new Uint8Array(message));
        else handlers.onText(context);
      },
      dropped: (socket) => this.#dropped(socket),
      drain: (socket) => socket.getUserData().connection?.onDrain(),
      close: (socket) => this.#onClose(socket, own),
    });
    app.get('/*', (response, request) => this.#http(response, request));
    app.any('/*', (response) => this.#answer(response, '405 Method Not Allowed', ONLY_GET, ALLOW));
    app.filter((response, change) => this.#onSocket(response, Number(change)));
    return own;
  }

  /** Throws a sentence if the port cannot be had. */
  #listen(host: string, port: number): Listening {
    let socket = false as uWS.us_listen_socket | false;
    // Without the exclusive flag a second process could listen on the same port unnoticed.
    this.#apps[0].app.listen(host, port, this.#uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (result) => {
      socket = result; // at once
    });
    if (!socket) throw new Error(portRefused(host, port));
    return { socket, host, port: this.#uws.us_socket_local_port(socket) };
  }

  /** Ends an app that no longer listens once its last connection has gone. */
  #maybeRetire(own: UwsApp): void {
    if (this.#isClosed || own === this.#apps[0] || own.connections > 0) return;
    const [newest, ...older] = this.#apps;
    this.#apps = [newest, ...older.filter((app) => app !== own)];
    setImmediate(() => own.app.close()); // the last connection is just being closed
  }

  /** `change`: 1: it has come; -1: it has gone, as HTTP. uWebSockets knows no address of one that has gone. */
  #onSocket(response: uWS.HttpResponse, change: number): void {
    const answered = this.#answered;
    this.#answered = undefined;
    if (change !== 1) {
      if (!this.#isTurningAway) this.#handlers.onEnd(answered);
      return;
    }
    if (this.#handlers.onAccept(addressOf(response))) return;
    this.#isTurningAway = true;
    response.close(); // tells so at once
    this.#isTurningAway = false;
  }

  /** A socket that was kept alive would be there without being counted. */
  #answer(
    response: uWS.HttpResponse,
    status: string,
    body: string,
    headers: Readonly<Record<string, string>> = {},
  ): void {
    response.writeStatus(status);
    for (const [name, value] of Object.entries(headers)) response.writeHeader(name, value);
    this.#answered = addressOf(response);
    response.end(body, true);
  }

  #upgrade(
    response: uWS.HttpResponse,
    request: uWS.HttpRequest,
    socketContext: uWS.us_socket_context_t,
  ): void {
    // uWebSockets upgrades whoever brings a key of the right length.
    if (request.getHeader('upgrade').toLowerCase() !== 'websocket')
      return this.#answer(response, BAD_REQUEST, NO_UPGRADE);
    if (request.getHeader('sec-websocket-version') !== '13')
      return this.#answer(response, '426 Upgrade Required', NO_UPGRADE, VERSION);
    const origin = request.getHeader('origin');
    if (origin !== '' && !this.#options.allowsOrigin(origin))
      return this.#answer(response, '403 Forbidden', ORIGIN_REFUSED);
    const address = addressOf(response);
    const refusal = this.#handlers.onUpgrade(address);
    if (refusal !== undefined) {
      const wait = { 'retry-after': retryAfterOf(refusal) };
      return this.#answer(response, '503 Service Unavailable', `${refusal.sentence}\n`, wait);
    }
    response.upgrade<UserData<C>>(
      { address, connection: undefined },
      request.getHeader('sec-websocket-key'),
      request.getHeader('sec-websocket-protocol'),
      request.getHeader('sec-websocket-extensions'),
      socketContext,
    );
  }

  #open(socket: uWS.WebSocket<UserData<C>>, own: UwsApp): void {
    own.connections++;
    const { length: place } = this.#connections;
    const connection = new UwsConnection<C>(socket, this.#options.bufferBytesMax, place);
    this.#connections.push(connection);
    const data = socket.getUserData();
    const { address } = data;
    data.address = '';
    data.connection = connection;
    connection.context = this.#handlers.onOpen(connection, address);
  }

  /**
   * uWebSockets is in the middle of a publish or send and goes on with the socket: to close it or to
   * leave a topic now would end the process. The handler is called before anything else is sent.
   */
  #dropped(socket: uWS.WebSocket<UserData<C>>): void {
    const { connection } = socket.getUserData();
    if (connection === undefined || connection.isSlow) return;
    connection.isSlow = true;
    if (this.#slow.length === 0) setImmediate(() => this.#tellDropped());
    this.#slow.push(connection);
  }

  #tellDropped(): void {
    const slow = this.#slow;
    this.#slow = [];
    for (const { isOpen, context } of slow)
      if (isOpen && context !== undefined) this.#handlers.onDropped(context);
  }

  #onClose(socket: uWS.WebSocket<UserData<C>>, own: UwsApp): void {
    own.connections--;
    this.#maybeRetire(own);
    const { connection } = socket.getUserData();
    if (connection === undefined) return;
    connection.markClosed();
    this.#forget(connection);
    if (connection.context !== undefined) this.#handlers.onClose(connection.context);
  }

  /** The last one takes its place. */
  #forget({ place }: UwsConnection<C>): void {
    const last = this.#connections.pop();
    if (last === undefined || last.place === place) return;
    last.place = place;
    this.#connections[place] = last;
  }

  #http(response: uWS.HttpResponse, request: uWS.HttpRequest): void {
    if (request.getHeader('upgrade').toLowerCase() === 'websocket')
      return this.#answer(response, BAD_REQUEST, NO_UPGRADE); // its key is no key
    const { status, body }: HttpAnswer = this.#handlers.onHttp(request.getUrl());
    this.#answer(response, status, body, JSON_TYPE);
  }
}

function addressOf(response: uWS.HttpResponse): string {
  return new TextDecoder().decode(response.getRemoteAddressAsText());
}

function tlsOptions({ key, certificate }: TlsFiles): uWS.AppOptions {
  return { key_file_name: key, cert_file_name: certificate };
}
