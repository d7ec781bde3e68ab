import {
  CONTROL_BYTES_MAX,
  Code,
  HELLO_BYTES_MAX,
  NODE_MAX,
  PARTITIONS,
  PROTOCOL_VERSION,
  RESUME_TOKEN_BYTES,
} from '@tidewire/core';

import type { PartitionService } from '@tidewire/partition-worker/front';
import type { AskDurable, ClientFrame, Hello, Refresh } from '@tidewire/schemas';

import type { Authentication } from './access/authentication.js';
import type { Claims } from './access/token-verifier.js';
import type { ControlFrames } from './control-frames.js';
import type { OperationRefusal } from './operation/operation-refusal.js';
import type { QueryDesk } from './query/query-desk.js';
import { Refusal } from './refusal.js';
import type { Session } from './session/session.js';
import { resumptionOf, type ServerStart } from './subscription/resume.js';
import type { SubscriptionService } from './subscription/subscription-service.js';

const SALT_BYTES = 16;
const CONTROL_TOO_LONG = `A frame that is no operations has ${CONTROL_BYTES_MAX} bytes at most, Hello ${HELLO_BYTES_MAX}.`;
const OTHER_AUTHORITY = 'The new token is of somebody else or permits other things; connect again.';

/** Takes the frames off the hot path: everything but operations. */
export class ControlIntake {
  readonly #authentication: Authentication;
  readonly #control: ControlFrames;
  readonly #subscriptions: SubscriptionService;
  readonly #queries: QueryDesk;
  readonly #partitions: PartitionService;
  readonly #random: (count: number) => Uint8Array;
  readonly #refuse: (session: Session, refusal: Refusal) => void;
  readonly #send: (session: Session, bytes: Uint8Array) => void;
  readonly #resume: (session: Session, token: Uint8Array) => boolean;
  readonly #onGreeted: (session: Session) => void;
  readonly #elapsedMs: () => number;
  #start: ServerStart | undefined;

  constructor(options: {
    authentication: Authentication;
    control: ControlFrames;
    subscriptions: SubscriptionService;
    queries: QueryDesk;
    partitions: PartitionService;
    random: (count: number) => Uint8Array;
    /** The session continues the earlier one of this token, if it has one. True: its presence records too. */
    resume: (session: Session, token: Uint8Array) => boolean;
    /** Closes the session and says why. */
    refuse: (session: Session, refusal: Refusal) => void;
    send: (session: Session, bytes: Uint8Array) => void;
    /** The session is no stranger any more. */
    onGreeted: (session: Session) => void;
    elapsedMs: () => number;
  }) {
    this.#authentication = options.authentication;
    this.#control = options.control;
    this.#subscriptions = options.subscriptions;
    this.#queries = options.queries;
    this.#partitions = options.partitions;
    this.#random = options.random;
    this.#resume = options.resume;
    this.#refuse = options.refuse;
    this.#send = options.send;
    this.#onGreeted = options.onGreeted;
    this.#elapsedMs = options.elapsedMs;
  }

  /** Until it is told what this start is, no Hello is taken. */
  open(start: ServerStart): void {
    this.#start = start;
    this.#control.epoch = start.epoch;
    this.#control.store = start.store;
  }

  /**
   * Takes a frame. Returns why its session is to be closed, if it is. `over`: its connection sends too much,
   * nothing that it asks for is done.
   */
  take(session: Session, bytes: Uint8Array, over?: OperationRefusal): Refusal | undefined {
    // Before it is decoded: that costs far more than its bytes where it is made of many small parts.
    if (bytes.length > (session.node === 0 ? HELLO_BYTES_MAX : CONTROL_BYTES_MAX))
      return new Refusal(Code.TOO_LARGE, CONTROL_TOO_LONG);
    const body = this.#control.read(bytes);
    if (session.rate !== undefined && this.#isOver(session, body, over)) return undefined;
    switch (body?.case) {
      case 'hello':
        return this.#onHello(session, body.value);
      case 'subscribe':
        this.#subscriptions.subscribe(session, body.value);
        return undefined;
      case 'unsubscribe':
        this.#subscriptions.unsubscribe(session, body.value);
        return undefined;
      case 'query':
        this.#queries.query(session, body.value);
        return undefined;
      case 'cancelQuery':
        this.#queries.cancel(session, body.value);
        return undefined;
      case 'refresh':
        return this.#onRefresh(session, body.value);
      case 'askDurable':
        return this.#onAskDurable(session, body.value);
      case 'ping':
        this.#send(session, this.#control.pong(body.value.token));
        return undefined;
      default:
        return new Refusal(Code.INVALID);
    }
  }

  /** What asks for work counts as an operation; what ends or asks for none passes. */
  #isOver(
    session: Session,
    body: ClientFrame['body'] | undefined,
    over?: OperationRefusal,
  ): boolean {
    if (body?.case !== 'subscribe' && body?.case !== 'query') return false;
    const elapsedMs = this.#elapsedMs();
    const fault = over ?? session.rate?.takeOperation(elapsedMs);
    if (fault === undefined) return false;
    session.rate?.onRefused(1, elapsedMs);
    const refusal = new Refusal(fault.code, fault.sentence, fault.retryAfterMs);
    if (body.case === 'query')
      this.#send(session, this.#control.rowsRefused(body.value.requestId, refusal));
    else this.#subscriptions.refuse(session, body.value, refusal);
    return true;
  }

  #onHello(session: Session, hello: Hello): Refusal | undefined {
    const invalid = (detail: string): Refusal => new Refusal(Code.INVALID, detail);
    if (session.node !== 0) return invalid('Hello came twice.');
    if (hello.protocolVersion !== PROTOCOL_VERSION)
      return invalid(`This server speaks protocol version ${PROTOCOL_VERSION}.`);
    if (hello.node < 1 || hello.node > NODE_MAX) return invalid(`A node is from 1 to ${NODE_MAX}.`);
    const start = this.#start;
    if (start === undefined) return new Refusal(Code.UNAVAILABLE);
    const tokenBytes = hello.resumeToken.length;
    if (tokenBytes !== 0 && tokenBytes !== RESUME_TOKEN_BYTES)
      return invalid(`A resume token has ${RESUME_TOKEN_BYTES} bytes.`);
    // A copy: the frame is the transport's, and gone after this call.
    const own = { ...hello, resumeToken: hello.resumeToken.slice() };
    return this.#authentication.check(session, hello.token, (verdict) => {
      if (verdict instanceof Refusal) this.#refuse(session, verdict);
      else this.#onClaims(session, verdict, () => this.#welcome(session, own, start));
    });
  }

  /** Gives the session its authority, or refuses claims that are not sound. */
  #onClaims(session: Session, claims: Claims, then: () => void): void {
    const authority = this.#authentication.authorityOf(claims);
    if (authority instanceof Refusal) return this.#refuse(session, authority);
    session.subject = subjectOf(claims);
    session.authority = authority;
    then();
  }

  #welcome(session: Session, hello: Hello, start: ServerStart): void {
    const holdsPresence = this.#resume(session, hello.resumeToken);
    session.node = hello.node;
    this.#onGreeted(session);
    session.salt = Buffer.from(this.#random(SALT_BYTES)).toString('latin1');
    session.resumption = resumptionOf(hello.cursor, start, this.#subscriptions.progressTold);
    this.#send(session, this.#control.welcome(session, holdsPresence));
  }

  #onAskDurable(session: Session, { partitions }: AskDurable): Refusal | undefined {
    const isOdd = partitions.some((partition) => partition >= PARTITIONS);
    if (isOdd || new Set(partitions).size < Math.max(1, partitions.length))
      return new Refusal(Code.INVALID, 'AskDurable names partitions that exist, each once.');
    const durable = partitions.map((partition) => ({
      partition,
      sequence: BigInt(this.#partitions.flushedOf(partition)),
    }));
    this.#send(session, this.#control.durable(durable));
    return undefined;
  }

  /** What is not looked at now, or cannot be, leaves the end of the old token as it was. */
  #onRefresh(session: Session, { token }: Refresh): Refusal | undefined {
    const refusal = this.#authentication.check(session, token, (verdict) => {
      const isBad = verdict instanceof Refusal && verdict.code !== Code.UNAVAILABLE;
      if (isBad) return this.#refuse(session, verdict);
      const isOther = !(verdict instanceof Refusal) && this.#isOther(session, verdict);
      if (isOther) return this.#refuse(session, new Refusal(Code.UNAVAILABLE, OTHER_AUTHORITY));
      this.#send(session, this.#control.tokenRefreshed(session.validUntilMs));
    });
    if (refusal?.code !== Code.OVERLOADED) return refusal;
    this.#send(session, this.#control.tokenRefreshed(session.validUntilMs));
    return undefined;
  }

  /**
   * Whether the claims are of another subject than the session's, whose name its records and denials bear,
   * or permit other things: its subscriptions would be wrong.
   */
  #isOther({ authority, subject }: Session, claims: Claims): boolean {
    if (subjectOf(claims) !== subject) return true;
    const next = this.#authentication.authorityOf(claims);
    return next instanceof Refusal || next?.name !== authority?.name;
  }
}

function subjectOf({ all }: Claims): string {
  const { sub = '' } = all;
  return typeof sub === 'string' ? sub : JSON.stringify(sub);
}
