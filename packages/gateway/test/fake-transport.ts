import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { assert, SESSION_HARD_BYTES } from '@tidewire/core';
import {
  ClientFrameSchema,
  type Event,
  type Events,
  type Result,
  type ServerFrame,
  ServerFrameSchema,
} from '@tidewire/schemas';
import type { Gateway } from '#lib/gateway.js';
import type { Session } from '#lib/session/session.js';
import { type Connection, Sent } from '#lib/transport/transport.js';

/** A client that talks to a gateway without a network; it remembers what it was sent. */
export class FakeClient implements Connection {
  readonly frames: ServerFrame[] = [];
  readonly session: Session;
  readonly topics = new Set<number>();
  closedWith: number | undefined;
  buffered = 0;
  refusesSend = false;
  /** Reads nothing: what is sent stays in the buffer. */
  isStalled = false;
  readonly #unread: Uint8Array[] = [];
  readonly #topics: FakeTopics;
  readonly #gateway: Gateway;

  constructor(gateway: Gateway, topics: FakeTopics, address = '127.0.0.1') {
    this.#gateway = gateway;
    this.#topics = topics;
    topics.clients.add(this);
    assert(gateway.onAccept(address), 'a transport opens what was accepted');
    this.session = gateway.onOpen(this, address);
  }

  send(bytes: Uint8Array): Sent {
    if (this.refusesSend || this.buffered > SESSION_HARD_BYTES) return Sent.DROPPED;
    if (this.closedWith !== undefined) return Sent.OK;
    if (this.isStalled) {
      this.#unread.push(bytes.slice());
      this.buffered += bytes.length;
    } else this.frames.push(fromBinary(ServerFrameSchema, bytes.slice()));
    return Sent.OK;
  }

  /** Reads the oldest of what lies in the buffer, at most so much. */
  read(bytes: number = Number.POSITIVE_INFINITY): void {
    let left = bytes;
    for (let next = this.#unread[0]; next !== undefined && left > 0; next = this.#unread[0]) {
      this.#unread.shift();
      this.buffered -= next.length;
      left -= next.length;
      this.frames.push(fromBinary(ServerFrameSchema, next));
    }
  }

  bufferedBytes(): number {
    return this.buffered;
  }

  join(topic: number): void {
    this.topics.add(topic);
  }

  leave(topic: number): void {
    this.topics.delete(topic);
  }

  close(code: number): void {
    if (this.closedWith !== undefined) return;
    this.closedWith = code;
    this.#topics.clients.delete(this);
    this.#gateway.onClose(this.session);
  }

  say(body: MessageInitShape<typeof ClientFrameSchema>['body'], clock = 0n): void {
    this.sayBytes(toBinary(ClientFrameSchema, create(ClientFrameSchema, { clock, body: body! })));
  }

  sayBytes(bytes: Uint8Array): void {
    this.#gateway.onMessage(this.session, bytes);
  }

  hello(node = 7): void {
    this.say({ case: 'hello', value: { protocolVersion: 1, node } });
  }

  get results(): Result[] {
    return this.frames.flatMap(({ body }) => (body.case === 'results' ? body.value.results : []));
  }

  get events(): Event[] {
    return this.groups.flatMap(({ events }) => events);
  }

  /** Events by topics, as they came. */
  get groups(): Events[] {
    return this.frames.flatMap(groupsOf);
  }

  /** The body of the newest frame of this kind. */
  last<C extends string>(kind: C): BodyOf<C> | undefined {
    const frame = this.frames.findLast(({ body }) => body.case === kind);
    return frame?.body.value as unknown as BodyOf<C> | undefined;
  }
}

export function groupsOf({ body }: ServerFrame): Events[] {
  if (body.case === 'events') return [body.value];
  return body.case === 'eventGroups' ? body.value.groups : [];
}

type BodyOf<C extends string> = Extract<ServerFrame['body'], { case: C; value: unknown }>['value'];

/** What native publish does: hands a frame to every client that has joined the topic. */
export class FakeTopics {
  readonly clients = new Set<FakeClient>();
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  publish(topic: number, bytes: Uint8Array): void {
    for (const client of [...this.clients])
      if (client.topics.has(topic) && client.send(bytes) === Sent.DROPPED)
        this.#gateway.onDropped(client.session);
  }
}
