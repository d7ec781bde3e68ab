import type { FrameBuffer } from './frame-buffer.js';
import type { Connection } from './transport.js';

/**
 * The server's side of one connection. Its id names it in ring records: the low bits are its slot in
 * the session table, the others a generation, so that an answer never reaches the slot's next holder.
 */
export interface Session {
  readonly id: number;
  readonly connection: Connection;
  /** By the gateway's clock; a session that has not said Hello by then is closed. */
  readonly helloDeadlineMs: number;
  /** Node of Hello; 0 until then: nothing but Hello is accepted. */
  node: number;
  /** Operations sent to workers and not answered. */
  inFlight: number;
  /** Subscription id → topic. */
  readonly subscriptions: Map<number, number>;
  isClosing: boolean;
  /** Owned by AnswerBatch: the results of this turn. */
  answers: FrameBuffer | undefined;
  isTouched: boolean;
}
