import type { Authority } from '../access/authority.js';
import type { Rule } from '../access/rule-register.js';
import type { Few } from '../few.js';
import type { FrameBuffer } from '../frame-buffer.js';
import type { Query } from '../query/query.js';
import type { EventGroups } from '../subscription/event-groups.js';
import type { Published } from '../subscription/progress.js';
import type { Resumption } from '../subscription/resume.js';
import type { Subscription } from '../subscription/subscription.js';
import type { Connection } from '../transport/transport.js';
import type { AddressCount } from './connection-limits.js';
import type { PresencePuts } from './presence.js';
import type { Principal } from './principal.js';
import type { SessionRate } from './session-rate.js';

/**
 * The server's side of one connection. Its id names it in ring records: the slot in the session
 * table, which nobody else gets before the last answer to this session has come.
 */
export interface Session {
  readonly id: number;
  /** Names it in the log: no other connection of this server has had it. */
  readonly serial: number;
  readonly connection: Connection;
  /** Whom it is counted with. */
  readonly client: AddressCount;
  /** Undefined: it may ask for as much as it likes. */
  readonly rate: SessionRate | undefined;
  /** Node of Hello; 0 until it was welcomed: nothing but Hello is accepted. */
  node: number;
  /** A token of it is being verified. */
  isVerifying: boolean;
  /** Milliseconds since 1970 at which its token ends; Infinity: never. */
  validUntilMs: number;
  /** Claim `sub` of its token; empty: it has none. */
  subject: string;
  /** What it may do, from Hello on; undefined: everything. */
  authority: Authority | undefined;
  /** Whose it uses up what is there for all, from Hello on; undefined: it is not counted. */
  principal: Principal | undefined;
  /** Rules that its operations have named, by their rows; undefined: none. */
  rules: Map<string, Rule> | undefined;
  /**
   * Random 16 bytes, from Hello on: keys that it may not see are hashed under them. One character each:
   * an array costs ten times as much.
   */
  salt: string;
  /** By which a later connection continues this session, see ResumeTokens; empty: none can. */
  token: Uint8Array;
  /** Names what is remembered of its updates, from Hello on; see ResumeTokens. */
  memory: number;
  /** What the cursor of Hello is worth. */
  resumption: Resumption;
  /** What it has put for as long as it is connected; see Presence. */
  presence: PresencePuts | undefined;
  /** Operations sent to workers and not answered. */
  inFlight: number;
  subscriptions: Few<Subscription>;
  /** Queries under way, by their request ids; undefined: none. */
  queries: Map<number, Query> | undefined;
  /** Reads too slowly: hears nothing of its subscriptions until it has read. */
  isLagging: boolean;
  /** Hears Progress. */
  isOnProgress: boolean;
  /** While it does not: what it was told last on this connection. */
  told: Published | undefined;
  isClosing: boolean;
  /** The connection has ended; the slot is kept until no answer is under way. */
  isClosed: boolean;
  /** Owned by AnswerBatch: the results of this turn. */
  answers: FrameBuffer | undefined;
  isTouched: boolean;
  /** Owned by SingleEvents: what it alone hears, not sent yet. */
  events: EventGroups | undefined;
}
