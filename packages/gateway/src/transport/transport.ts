/** What became of a message handed to a connection. */
export const Sent = {
  /** Written, or buffered below the hard limit. */
  OK: 0,
  /** Not sent: the connection's buffer is full. */
  DROPPED: 1,
} as const;
export type Sent = (typeof Sent)[keyof typeof Sent];

/** Bodies of the answers to upgrades that may not proceed. */
export const NO_UPGRADE = 'This is no handshake of a WebSocket of version 13.\n';
export const ONLY_GET = 'Only GET is answered here.\n';
export const ORIGIN_REFUSED =
  'Pages of this origin may not connect here; the server is told which may by --allow-origin.\n';

/** Value of the header Retry-After, in seconds. */
export function retryAfterOf({ retryAfterMs }: UpgradeRefusal): string {
  return String(Math.ceil(retryAfterMs / 1000));
}

export function portRefused(host: string, port: number): string {
  return `Port ${port} on ${host} is taken or not ours to use: choose others with --port and --host.`;
}

/** One WebSocket connection. */
export interface Connection {
  /** Queues one binary message; the bytes are copied. */
  send(bytes: Uint8Array): Sent;
  /** Bytes accepted and not yet taken by the peer. */
  bufferedBytes(): number;
  join(topic: number): void;
  leave(topic: number): void;
  /** Sends a close frame, once the buffer has room for it, and ends; `onClose` follows. */
  close(code: number, reason: string): void;
}

/** Why an upgrade is answered 503, and when to try again. */
export interface UpgradeRefusal {
  readonly sentence: string;
  readonly retryAfterMs: number;
}

/** What a transport tells; every handler runs on the gateway's thread. Addresses are of the peer. */
export interface TransportHandlers<C> {
  /** A socket has been accepted; may it go on? Else it is closed without a word. */
  onAccept(address: string): boolean;
  /**
   * A socket that might go on has ended and was never upgraded. Of each either this is told, or `onOpen`,
   * once. Undefined: the transport does not know of which address it was.
   */
  onEnd(address: string | undefined): void;
  /** Why this upgrade may not proceed; undefined: it may. */
  onUpgrade(address: string): UpgradeRefusal | undefined;
  onOpen(connection: Connection, address: string): C;
  /** `bytes` are valid only during the call. */
  onMessage(context: C, bytes: Uint8Array): void;
  /** A text message came; its content is of no interest. */
  onText(context: C): void;
  /**
   * A message was skipped because the connection's buffer was full: none
   * that came later has been sent. Called in a later turn, or before the next publish.
   */
  onDropped(context: C): void;
  onClose(context: C): void;
  /** Answers an HTTP GET; its socket ends behind the answer. */
  onHttp(path: string): HttpAnswer;
}

export interface HttpAnswer {
  readonly status: string;
  readonly body: string;
}

export interface TransportLimits {
  /** A message longer than this ends its connection without a word. */
  readonly frameBytesMax: number;
  /** Beyond it messages are dropped, and `onDropped` is called. */
  readonly bufferBytesMax: number;
  /** A connection from which nothing came for this long is closed; it is pinged before. */
  readonly idleTimeoutMs: number;
}

/** Files in PEM; the first certificate is the server's own, those that vouch for it follow. */
export interface TlsFiles {
  readonly key: string;
  readonly certificate: string;
}

export interface TransportOptions extends TransportLimits {
  /** May pages of this origin connect? Else their upgrade is answered 403. Programs name none. */
  readonly allowsOrigin: (origin: string) => boolean;
  /** Speak TLS, and nothing else. */
  readonly tls?: TlsFiles | undefined;
}

/**
 * A WebSocket server with topics. Messages that reach one connection through `send` and `publish`
 * keep the order of the calls, and joining or leaving a topic cuts exactly.
 */
export interface Transport {
  /** Starts to listen and returns the port; rejects if it is taken. */
  listen(host: string, port: number): Promise<number>;
  /** Sends one binary message to every connection that has joined `topic`. */
  publish(topic: number, bytes: Uint8Array): void;
  /** Stops accepting connections; those that stand go on. */
  stopListening(): void;
  /**
   * Reads key and certificate again, for connections from now on. Rejects with a sentence, and
   * changes nothing, if they cannot be used.
   */
  reloadTls(): Promise<void>;
  /** Ends every connection. */
  close(): void;
}
