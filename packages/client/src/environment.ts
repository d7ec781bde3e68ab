import { RESUME_TOKEN_BYTES } from '@tidewire/core';

/** The part of a WebSocket that this library uses; browsers' own and `ws` both have it, but for pauses. */
export interface Socket {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
  /** Reads no further until `resume`; browsers cannot. */
  pause?(): void;
  resume?(): void;
}

export type SocketConstructor = new (url: string) => Socket;

/** Everything that the library takes from outside; tests put their own in its place. */
export interface Environment {
  readonly WebSocket: SocketConstructor;
  /** Milliseconds since any moment, never backwards. */
  monotonicMs(): number;
  /** Runs `action` once after `delayMs`, unless the function returned is called before. */
  startTimer(action: () => void, delayMs: number): () => void;
  /** In [0, 1). */
  random(): number;
  /** The stamps' tie-break of this client: 24 random bits, at least 1. */
  randomNode(): number;
  /** 16 random bytes by which a later connection continues this client's session. */
  randomToken(): Uint8Array;
  /** Takes what a subscription's handler threw; the library itself goes on. */
  reportError(error: unknown): void;
}

/** What browsers and Node provide; `WebSocket` is missing on Node 20 (see `node.ts`). */
export function platformEnvironment(WebSocket: SocketConstructor): Environment {
  return {
    WebSocket,
    monotonicMs: () => performance.now(),
    startTimer: (action, delayMs) => {
      const timer = setTimeout(action, delayMs);
      return () => clearTimeout(timer);
    },
    random: Math.random,
    randomNode: () => {
      const [bits] = crypto.getRandomValues(new Uint32Array(1));
      return bits >>> 8 || 1;
    },
    randomToken: () => crypto.getRandomValues(new Uint8Array(RESUME_TOKEN_BYTES)),
    reportError: (error) =>
      queueMicrotask(() => {
        throw error;
      }),
  };
}
