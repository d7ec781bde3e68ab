import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import {
  HANDSHAKE_BYTES_MAX,
  HANDSHAKE_MS_MAX,
  MESSAGE_PARTS_MAX,
  SLOW_CLOSE_MS,
} from '@tidewire/core';
import { type WebSocket, WebSocketServer } from 'ws';
import { binaryFrame } from './binary-frame.js';
import { readTls, type TlsMaterial } from './tls-files.js';
import {
  NO_UPGRADE,
  ONLY_GET,
  ORIGIN_REFUSED,
  portRefused,
  retryAfterOf,
  type Transport,
  type TransportHandlers,
  type TransportOptions,
  type UpgradeRefusal,
} from './transport.js';
import { SWEEPS, WsConnection, type WsTransportFace } from './ws-connection.js';

/**
 * WebSockets on the `ws` library and Node's own HTTP server: slower than uWebSockets, but without a
 * binary. Messages are framed here, once for all who get them, and written to the sockets directly;
 * without compression `ws` writes its own frames (close, pong) at once too, so the order holds.
 */
export async function createWsTransport<C>(
  handlers: TransportHandlers<C>,
  options: TransportOptions,
): Promise<Transport> {
  const tls = options.tls === undefined ? undefined : await readTls(options.tls);
  return new WsTransport(handlers, options, tls);
}

class WsTransport<C> implements Transport, WsTransportFace {
  readonly bufferBytesMax: number;
  readonly #handlers: TransportHandlers<C>;
  readonly #options: TransportOptions;
  readonly #server: Server | TlsServer;
  readonly #upgrader: WebSocketServer;
  readonly #contexts: Map<WsConnection, C> = new Map();
  /** Sockets that have come and not ended; some of them are connections. */
  readonly #topics: Map<number, Set<WsConnection>> = new Map();
  /** Have dropped a message, which the handler has not been told. */
  #slow: WsConnection[] = [];
  readonly #sweeper: NodeJS.Timeout;
  /** Sockets that have not been upgraded, by their ends. */
  readonly #shaking: Set<string> = new Set();

  constructor(
    handlers: TransportHandlers<C>,
    options: TransportOptions,
    tls: TlsMaterial | undefined,
  ) {
    this.#handlers = handlers;
    this.#options = options;
    this.bufferBytesMax = options.bufferBytesMax;
    const webSocketOptions = {
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.frameBytesMax,
      maxFragments: MESSAGE_PARTS_MAX,
      maxBufferedChunks: MESSAGE_PARTS_MAX,
      closeTimeout: SLOW_CLOSE_MS, // its typings do not have it
    };
    this.#upgrader = new WebSocketServer(webSocketOptions);
    const httpOptions = {
      headersTimeout: HANDSHAKE_MS_MAX,
      requestTimeout: HANDSHAKE_MS_MAX,
      connectionsCheckingInterval: HANDSHAKE_MS_MAX / 2,
      maxHeaderSize: HANDSHAKE_BYTES_MAX,
    };
    const handshakeTimeout = HANDSHAKE_MS_MAX;
    this.#server =
      tls === undefined
        ? createServer(httpOptions)
        : createTlsServer({ ...httpOptions, ...tls, handshakeTimeout });
    this.#server.maxRequestsPerSocket = 1; // one kept alive would be there without being counted
    this.#server.on('connection', (socket) => this.#onSocket(socket));
    this.#server.on('request', (request, response) => this.#http(request, response));
    this.#server.on('upgrade', (request, socket, head) =>
      this.#upgrade(request, socket as Socket, head),
    );
    this.#sweeper = setInterval(() => this.#sweep(), options.idleTimeoutMs / SWEEPS);
  }

  listen(host: string, port: number): Promise<number> {
    return new Promise((resolve, reject) => {
      // Later errors are those of single newcomers, as when there are no more file descriptors.
      this.#server.on('error', (cause) => reject(new Error(portRefused(host, port), { cause })));
      this.#server.listen({ host, port, exclusive: true }, () =>
        resolve((this.#server.address() as AddressInfo).port),
      );
    });
  }

  publish(topic: number, bytes: Uint8Array): void {
    if (this.#slow.length > 0) this.#tellDropped();
    const members = this.#topics.get(topic);
    if (members === undefined) return;
    const frame = binaryFrame(bytes);
    for (const connection of members) connection.write(frame);
  }

  stopListening(): void {
    this.#server.close();
  }

  async reloadTls(): Promise<void> {
    if (this.#options.tls === undefined) return;
    const tls = await readTls(this.#options.tls);
    if (this.#server instanceof TlsServer) this.#server.setSecureContext(tls);
  }

  close(): void {
    this.stopListening();
    clearInterval(this.#sweeper);
    for (const connection of this.#contexts.keys()) connection.close(1001, 'The server stops.');
    this.#server.closeAllConnections(); // those that have not been upgraded
  }

  join(connection: WsConnection, topic: number): void {
    connection.topics.add(topic);
    const members = this.#topics.get(topic);
    if (members === undefined) this.#topics.set(topic, new Set([connection]));
    else members.add(connection);
  }

  leave(connection: WsConnection, topic: number): void {
    if (!connection.topics.delete(topic)) return;
    const members = this.#topics.get(topic);
    members?.delete(connection);
    if (members?.size === 0) this.#topics.delete(topic);
  }

  /** The gateway may be in the middle of a publish: it is told before the next one. */
  dropped(connection: WsConnection): void {
    if (this.#slow.length === 0) setImmediate(() => this.#tellDropped());
    this.#slow.push(connection);
  }

  #tellDropped(): void {
    const slow = this.#slow;
    this.#slow = [];
    for (const connection of slow) {
      const context = this.#contexts.get(connection);
      if (context !== undefined) this.#handlers.onDropped(context);
    }
  }

  /** Beneath TLS: the socket that is upgraded is another, of the same ends. */
  #onSocket(socket: Socket): void {
    const ends = endsOf(socket);
    const address = addressOf(socket);
    if (ends === undefined || !this.#handlers.onAccept(address)) {
      socket.destroy();
      return;
    }
    this.#shaking.add(ends);
    socket.once('close', () => {
      if (this.#shaking.delete(ends)) this.#handlers.onEnd(address);
    });
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    const { origin, host } = request.headers;
    if (request.httpVersion !== '1.1' || host === undefined) {
      refuse(socket, '400 Bad Request', NO_UPGRADE);
      return;
    }
    if (origin !== undefined && !this.#options.allowsOrigin(origin)) {
      refuse(socket, '403 Forbidden', ORIGIN_REFUSED);
      return;
    }
    const address = addressOf(socket);
    const refusal = this.#handlers.onUpgrade(address);
    if (refusal !== undefined) {
      refuse(socket, '503 Service Unavailable', `${refusal.sentence}\n`, refusal);
      return;
    }
    this.#upgrader.handleUpgrade(request, socket, head, (webSocket) =>
      this.#open(webSocket, socket, address),
    );
  }

  #open(webSocket: WebSocket, socket: Socket, address: string): void {
    this.#shaking.delete(endsOf(socket) ?? '');
    const connection = new WsConnection(webSocket, socket, this);
    const context = this.#handlers.onOpen(connection, address);
    this.#contexts.set(connection, context);
    webSocket.on('message', (data: Buffer, isBinary) => {
      if (!connection.isOpen) return;
      // A plain view: Buffer's `slice` does not copy.
      if (isBinary)
        this.#handlers.onMessage(
          context,
          new Uint8Array(data.buffer, data.byteOffset, data.length),
        );
      else this.#handlers.onText(context);
    });
    webSocket.on('error', () => {}); // `close` follows
    webSocket.on('close', () => this.#close(connection, context));
  }

  #close(connection: WsConnection, context: C): void {
    for (const topic of connection.topics) this.leave(connection, topic);
    this.#contexts.delete(connection);
    this.#handlers.onClose(context);
  }

  #sweep(): void {
    for (const connection of this.#contexts.keys()) connection.sweep();
  }

  #http(request: IncomingMessage, response: ServerResponse): void {
    if (request.method !== 'GET') {
      response.writeHead(405, { allow: 'GET' }).end(ONLY_GET);
      return;
    }
    const [path] = (request.url ?? '').split('?', 1);
    const { status, body } = this.#handlers.onHttp(path);
    response
      .writeHead(Number.parseInt(status, 10), { 'content-type': 'application/json' })
      .end(body);
  }
}

/** Names a socket among those that are open; undefined: it has ended already. */
function endsOf({ localAddress, remoteAddress, remotePort }: Socket): string | undefined {
  return remoteAddress === undefined ? undefined : `${remoteAddress} ${remotePort} ${localAddress}`;
}

/** Empty if it has ended already. */
function addressOf(socket: Socket): string {
  return socket.remoteAddress ?? '';
}

function refuse(socket: Socket, status: string, body: string, until?: UpgradeRefusal): void {
  const wait = until === undefined ? '' : `retry-after: ${retryAfterOf(until)}\r\n`;
  socket.on('error', () => {}); // the caller may have left
  socket.once('finish', () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\n${wait}content-length: ${body.length}\r\n\r\n${body}`,
  );
}
