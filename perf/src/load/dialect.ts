import type { KeySource } from './distribution.js';

/** What a dialect may do with its connection. */
export interface Link {
  write(bytes: Uint8Array): void;
  /** The handshake is done. */
  ready(): void;
  /** `request` is the number given to `encode`; codes as in `tidewire.v1.Code`. */
  answer(request: number, outcome: number, refusal: number): void;
  event(partition: number, sequence: number): void;
  /** One whose order this connection does not tell. */
  unorderedEvent(): void;
  /** Ends the load process with `message`. */
  fail(message: string): void;
}

/** A protocol as the load generator speaks it: one object a connection. */
export interface Dialect {
  readonly frameBytesMax: number;
  readonly operationsPerFrame: number;
  /** The first bytes of the connection; empty: it is ready at once. */
  greeting(): Uint8Array;
  /**
   * Writes a frame of operations numbered from `request` at `target[at…]`; returns its length.
   * Every stamp takes one tick of `clock`.
   */
  encode(target: Uint8Array, at: number, request: number, clock: LoadClock): number;
  /** Reads what is complete in `bytes[from, to)`; returns where the incomplete rest begins. */
  scan(bytes: Buffer, from: number, to: number): number;
}

/** The load process's hybrid logical clock; `ms` is set once a batch. */
export interface LoadClock {
  ms: number;
  counter: number;
}

/** What a dialect is made of. */
export interface DialectOptions {
  readonly link: Link;
  readonly keys: KeySource;
  /** Number of this connection, from 0. */
  readonly connection: number;
  readonly isSubscriber: boolean;
}

/** Request numbers go round at this, a power of two; far more than are ever open. */
export const REQUEST_RANGE: number = 1 << 27;
/** Outcome given for a peer's plain success. */
export const OUTCOME_DONE = 1;
export const OUTCOME_FOUND = 4;
export const OUTCOME_ABSENT = 5;
/** Refusal given for a peer's error answer. */
export const REFUSAL_ERROR = 22;
