import type { FrameBuffer } from './frame-buffer.js';
import type { Connection } from './transport.js';

/**
 * The server's side of one connection. Its id names it in ring records: the slot in the session
 * table, which nobody else gets before the last answer to this session has come.
 */
export interface Session {
  readonly id: number;
  readonly connection: Connection;
  /** In elapsed time; a session that has not said Hello by then is closed. */
  readonly helloDeadlineMs: number;
  /** Node of Hello; 0 until then: nothing but Hello is accepted. */
  node: number;
  /** Operations sent to workers and not answered. */
  inFlight: number;
  /** Subscription id → topic. */
  readonly subscriptions: Map<number, number>;
  /** Of those, the ones that are not live yet. */
  readonly joining: Map<number, { isEnded: boolean }>;
  isClosing: boolean;
  /** The connection has ended; the slot is kept until no answer is under way. */
  isClosed: boolean;
  /** Owned by AnswerBatch: the results of this turn. */
  answers: FrameBuffer | undefined;
  isTouched: boolean;
}
