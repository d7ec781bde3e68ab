import {
  CONTROL_BYTES_MAX,
  Code,
  HELLO_BYTES_MAX,
  NODE_MAX,
  PROTOCOL_VERSION,
  RESUME_TOKEN_BYTES,
} from '@tidewire/core';
import type { Hello } from '@tidewire/schemas';
import type { ControlFrames } from './control-frames.js';
import type { QueryDesk } from './query-desk.js';
import { Refusal } from './refusal.js';
import { resumptionOf, type ServerStart } from './resume.js';
import type { Session } from './session.js';
import type { SubscriptionService } from './subscription-service.js';

const SALT_BYTES = 16;

/** Takes the frames off the hot path: everything but operations. */
export class ControlIntake {
  readonly #control: ControlFrames;
  readonly #subscriptions: SubscriptionService;
  readonly #queries: QueryDesk;
  readonly #random: (count: number) => Uint8Array;
  readonly #send: (session: Session, bytes: Uint8Array) => void;
  readonly #resume: (session: Session, token: Uint8Array) => boolean;
  #start: ServerStart | undefined;

  constructor(options: {
    control: ControlFrames;
    subscriptions: SubscriptionService;
    queries: QueryDesk;
    random: (count: number) => Uint8Array;
    /** The session continues the earlier one of this token. True: its presence records too. */
    resume: (session: Session, token: Uint8Array) => boolean;
    send: (session: Session, bytes: Uint8Array) => void;
  }) {
    this.#control = options.control;
    this.#subscriptions = options.subscriptions;
    this.#queries = options.queries;
    this.#random = options.random;
    this.#resume = options.resume;
    this.#send = options.send;
  }

  /** Until it is told what this start is, no Hello is taken. */
  open(start: ServerStart): void {
    this.#start = start;
    this.#control.epoch = start.epoch;
    this.#control.store = start.store;
  }

  /** Takes a frame. Returns why its session is to be closed, if it is. */
  take(session: Session, bytes: Uint8Array): Refusal | undefined {
    // Before it is decoded: that costs far more than its bytes where it is made of many small parts.
    if (bytes.length > (session.node === 0 ? HELLO_BYTES_MAX : CONTROL_BYTES_MAX))
      return new Refusal(Code.TOO_LARGE);
    const body = this.#control.read(bytes);
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
      case 'ping':
        this.#send(session, this.#control.pong(body.value.token));
        return undefined;
      default:
        return new Refusal(Code.INVALID);
    }
  }

  #onHello(session: Session, hello: Hello): Refusal | undefined {
    const invalid = (detail: string): Refusal => new Refusal(Code.INVALID, detail);
    if (session.node !== 0) return invalid('Hello came twice.');
    if (hello.protocolVersion !== PROTOCOL_VERSION)
      return invalid(`This server speaks protocol version ${PROTOCOL_VERSION}.`);
    if (hello.node < 1 || hello.node > NODE_MAX) return invalid(`A node is from 1 to ${NODE_MAX}.`);
    if (this.#start === undefined) return new Refusal(Code.UNAVAILABLE);
    const tokenBytes = hello.resumeToken.length;
    if (tokenBytes !== 0 && tokenBytes !== RESUME_TOKEN_BYTES)
      return invalid(`A resume token has ${RESUME_TOKEN_BYTES} bytes.`);
    // A copy: the frame is the transport's, and gone after this call.
    const holdsPresence = tokenBytes > 0 && this.#resume(session, hello.resumeToken.slice());
    session.node = hello.node;
    session.salt = this.#random(SALT_BYTES);
    session.resumption = resumptionOf(hello.cursor, this.#start);
    this.#send(session, this.#control.welcome(session.salt, holdsPresence));
    return undefined;
  }
}
