import uWS from 'uWebSockets.js';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { hashOf, partitionOf } from '@tidewire/core';
import {
  ClientFrameSchema,
  Code,
  type Event,
  EventSchema,
  type Operation,
  OperationKind,
  ResultSchema,
  ServerFrameSchema,
} from '@tidewire/schemas';

/** How the fake misbehaves. */
export interface Misbehaviour {
  /** Answers every so-manieth operation twice, or not at all; 0: never. */
  twiceEvery?: number;
  neverEvery?: number;
  /** Refuses every so-manieth operation with OVERLOADED. */
  refuseEvery?: number;
  /** Drops the event of every so-manieth write. */
  loseEventEvery?: number;
  /** Says each event in a group of its own, and these in one frame. */
  groupsEvents?: boolean;
  /** Burns so many microseconds an operation. */
  burnMicros?: number;
}

type Socket = uWS.WebSocket<unknown>;

/** Speaks enough of `tidewire.v1` for a load process; slow, and wrong where told so. */
export class FakeServer {
  readonly port: number;
  readonly values: Map<string, Uint8Array> = new Map();
  /** The frames' operations as received. */
  readonly operations: Operation[] = [];
  readonly #app: uWS.TemplatedApp;
  readonly #misbehaviour: Misbehaviour;
  #seen = 0;
  #sequence = 0;

  private constructor(app: uWS.TemplatedApp, misbehaviour: Misbehaviour, port: number) {
    this.#app = app;
    this.#misbehaviour = misbehaviour;
    this.port = port;
  }

  static start(misbehaviour: Misbehaviour = {}): FakeServer {
    const app = uWS.App();
    let server: FakeServer | undefined;
    app.ws('/*', {
      maxBackpressure: 64 * 1024 * 1024,
      message: (socket, message) => server?.onMessage(socket, new Uint8Array(message)),
    });
    let port = 0;
    app.listen('127.0.0.1', 0, (listening) => {
      port = listening ? uWS.us_socket_local_port(listening) : 0;
    });
    server = new FakeServer(app, misbehaviour, port);
    return server;
  }

  stop(): void {
    this.#app.close();
  }

  onMessage(socket: Socket, message: Uint8Array): void {
    const { body } = fromBinary(ClientFrameSchema, message);
    if (body.case === 'hello') send(socket, { case: 'welcome', value: {} });
    else if (body.case === 'subscribe') {
      socket.subscribe('events');
      send(socket, { case: 'subscribed', value: { subscriptionId: 1, topics: [1] } });
    } else if (body.case === 'operations') this.#execute(socket, body.value.operations);
  }

  #execute(socket: Socket, operations: readonly Operation[]): void {
    const results = operations.flatMap((operation) => this.#answersTo(operation));
    if (results.length > 0) send(socket, { case: 'results', value: { results } });
    const events = operations.flatMap((operation, index) => {
      const ordinal = this.#seen - operations.length + index + 1;
      const isPut = operation.kind === OperationKind.PUT;
      if (!isPut || this.#isNth(ordinal, 'refuseEvery') || this.#isNth(ordinal, 'loseEventEvery'))
        return [];
      const partition = partitionOf(hashOf(Buffer.from(operation.key)));
      const sequence = BigInt(++this.#sequence);
      const { key, value } = operation;
      return [create(EventSchema, { kind: 1, partition, sequence, key, value })];
    });
    if (events.length > 0) this.#app.publish('events', frameOf(this.#bodyOf(events)), true);
  }

  #bodyOf(events: Event[]): Body {
    if (this.#misbehaviour.groupsEvents !== true)
      return { case: 'events', value: { topic: 1, events } };
    const groups = events.map((event) => ({ topic: 1, events: [event] }));
    return { case: 'eventGroups', value: { groups } };
  }

  #answersTo(operation: Operation): ReturnType<typeof resultOf>[] {
    this.#seen++;
    this.operations.push(operation);
    burn(this.#misbehaviour.burnMicros ?? 0);
    if (this.#isNth(this.#seen, 'neverEvery')) return [];
    const isRefused = this.#isNth(this.#seen, 'refuseEvery');
    if (!isRefused && operation.kind === OperationKind.PUT)
      this.values.set(operation.key, operation.value);
    const result = resultOf(operation, isRefused);
    return this.#isNth(this.#seen, 'twiceEvery') ? [result, result] : [result];
  }

  #isNth(ordinal: number, kind: Exclude<keyof Misbehaviour, 'groupsEvents'>): boolean {
    const every = this.#misbehaviour[kind] ?? 0;
    return every > 0 && ordinal % every === 0;
  }
}

function resultOf(operation: Operation, isRefused: boolean) {
  const outcome = operation.kind === OperationKind.GET ? Code.FOUND : Code.APPLIED;
  return create(ResultSchema, {
    requestId: operation.requestId,
    level: 1,
    ...(isRefused ? { refusal: Code.OVERLOADED } : { outcome }),
  });
}

type Body = NonNullable<MessageInitShape<typeof ServerFrameSchema>['body']>;

function frameOf(body: Body): Uint8Array {
  return toBinary(ServerFrameSchema, create(ServerFrameSchema, { clock: 1n, body }));
}

function send(socket: Socket, body: Body): void {
  socket.send(frameOf(body), true);
}

function burn(micros: number): void {
  const end = performance.now() + micros / 1000;
  while (performance.now() < end);
}
