import { once } from 'node:events';
import type { Test } from 'tap';
import { type ClientOptions, WebSocket } from 'ws';
import type {
  Connection,
  Transport,
  TransportHandlers,
  TransportOptions,
} from '#lib/transport/transport.js';

export const BUFFER_BYTES_MAX: number = 1024 * 1024;
export const FRAME_BYTES_MAX = 100_000;
export const FULL = { sentence: 'Full.', retryAfterMs: 1500 };

export type CreateTransport = (
  handlers: TransportHandlers<Peer>,
  options: TransportOptions,
) => Promise<Transport>;

/** A connection as a gateway knows it, and what was told of it. */
export interface Peer {
  readonly connection: Connection;
  readonly address: string;
  readonly messages: string[];
  texts: number;
  drops: number;
  closes: number;
}

/** A transport as it is shipped, and what it tells. */
export class Served {
  readonly peers: Peer[] = [];
  readonly paths: string[] = [];
  /** Addresses of the sockets that have come. */
  readonly accepted: string[] = [];
  /** Sockets that may go on, and are no WebSocket yet. */
  halfOpen = 0;
  /** Of those that ended without an upgrade. */
  readonly ended: (string | undefined)[] = [];
  isAccepting = true;
  isUpgrading = true;
  transport!: Transport;
  port = 0;
  /** What a gateway does when a message has come or was dropped. */
  onMessage: (peer: Peer, bytes: Uint8Array) => void = () => {};
  onText: (peer: Peer) => void = () => {};
  onDropped: (peer: Peer) => void = () => {};
  readonly isTls: boolean;
  #look = (): void => {};

  private constructor(isTls: boolean) {
    this.isTls = isTls;
  }

  static async start(
    t: Pick<Test, 'teardown'>,
    create: CreateTransport,
    { port = 0, ...options }: Partial<TransportOptions> & { readonly port?: number } = {},
  ): Promise<Served> {
    const served = new Served(options.tls !== undefined);
    served.transport = await create(
      {
        onAccept: (address) => {
          served.accepted.push(address);
          if (served.isAccepting) served.halfOpen++;
          served.#look();
          return served.isAccepting;
        },
        onEnd: (address) => {
          served.ended.push(address);
          served.halfOpen--;
          served.#look();
        },
        onUpgrade: () => (served.isUpgrading ? undefined : FULL),
        onOpen: (connection, address) => {
          served.halfOpen--;
          return served.#open(connection, address);
        },
        onMessage: (peer, bytes) => {
          peer.messages.push(Buffer.from(bytes).toString());
          served.onMessage(peer, bytes);
          served.#look();
        },
        onText: (peer) => {
          peer.texts++;
          served.onText(peer);
          served.#look();
        },
        onDropped: (peer) => {
          peer.drops++;
          served.onDropped(peer);
        },
        onClose: (peer) => {
          peer.closes++;
          served.#look();
        },
        onHttp: (path) => {
          served.paths.push(path);
          return { status: '200 OK', body: JSON.stringify({ path }) };
        },
      },
      {
        frameBytesMax: FRAME_BYTES_MAX,
        bufferBytesMax: BUFFER_BYTES_MAX,
        idleTimeoutMs: 40_000,
        allowsOrigin: () => true,
        ...options,
      },
    );
    t.teardown(() => served.transport.close());
    served.port = await served.transport.listen('127.0.0.1', port);
    return served;
  }

  /** Resolves once it is so; looks after everything that was told. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => {
      this.#look = () => {
        if (condition()) resolve();
      };
    });
  }

  /** Of its WebSockets and of its HTTP. */
  url(scheme: 'ws' | 'http'): string {
    return `${scheme}${this.isTls ? 's' : ''}://127.0.0.1:${this.port}`;
  }

  async client(t: Pick<Test, 'teardown'>, options: ClientOptions = {}): Promise<Client> {
    const client = new Client(this.url('ws'), options);
    t.teardown(() => client.socket.terminate());
    await once(client.socket, 'open');
    return client;
  }

  #open(connection: Connection, address: string): Peer {
    const peer: Peer = { connection, address, messages: [], texts: 0, drops: 0, closes: 0 };
    this.peers.push(peer);
    return peer;
  }
}

export class Client {
  readonly socket: WebSocket;
  readonly heard: string[] = [];
  reason = '';
  readonly closed: Promise<number>;
  #onMessage = (): void => {};

  constructor(url: string, options: ClientOptions) {
    this.socket = new WebSocket(url, { rejectUnauthorized: false, ...options });
    this.socket.on('error', () => {}); // `close` follows
    this.closed = once(this.socket, 'close').then(([code, reason]) => {
      this.reason = String(reason);
      return code as number;
    });
    this.socket.on('message', (data: Buffer) => {
      this.heard.push(data.toString().replace(/ +$/, ''));
      this.#onMessage();
    });
  }

  /** Resolves when this is the newest message. */
  hears(text: string): Promise<void> {
    return new Promise((resolve) => {
      this.#onMessage = () => {
        if (this.heard.at(-1) === text) resolve();
      };
      this.#onMessage();
    });
  }
}
