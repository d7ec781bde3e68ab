import { createServer, type Server } from 'node:http';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { hashOf, packStamp, partitionOf } from '@tidewire/core';
import {
  AckLevel,
  type ClientFrame,
  ClientFrameSchema,
  Code,
  EventKind,
  Level,
  type Operation,
  OperationKind,
  type ResultSchema,
  ServerFrameSchema,
  type Subscribe,
  type ValueKind,
} from '@tidewire/schemas';
import { type WebSocket, WebSocketServer } from 'ws';

type Body = MessageInitShape<typeof ServerFrameSchema>['body'];
type ResultInit = MessageInitShape<typeof ResultSchema>;

interface Stored {
  readonly value: Uint8Array;
  readonly valueKind: ValueKind;
  readonly stamp: bigint;
  readonly node: number;
  readonly sequence: bigint;
}

const LIMITS = {
  frameBytesMax: 65_536,
  frameOperationsMax: 1024,
  mapBytesMax: 128,
  keyBytesMax: 1024,
  valueBytesMax: 32_768,
  inFlightMax: 64,
  subscriptionsMax: 10,
  heartbeatIntervalMs: 15_000,
  heartbeatTimeoutMs: 40_000,
  driftMsMax: 5000,
};

/** A server of one map of records in plain memory, for the command line's tests. */
export class FakeServer {
  readonly records = new Map<string, Stored>();
  readonly subscribers = new Set<WebSocket>();
  /** What a test wants an operation to be answered instead of being carried out. */
  refuse: (operation: Operation) => ResultInit | undefined = () => undefined;
  info: unknown = {};
  puts = 0;
  inFlightSeen = 0;
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  #sequence = 0n;
  /** Above every stamp seen, as a server's clock is. */
  #clock = packStamp(1_800_000_000_000, 0);

  private constructor(http: Server) {
    this.#http = http;
    this.#sockets = new WebSocketServer({ server: http });
    this.#sockets.on('connection', (socket) => {
      socket.on('message', (data) => this.#onFrame(socket, data as Buffer));
      socket.on('close', () => this.subscribers.delete(socket));
    });
    http.on('request', (request, response) => {
      response.statusCode = request.url === '/info' ? 200 : 404;
      response.end(JSON.stringify(this.info));
    });
  }

  static async start(): Promise<FakeServer> {
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return new FakeServer(http);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#http.address() as { port: number }).port}`;
  }

  text(map: string, key: string): string | undefined {
    const stored = this.records.get(`${map}/${key}`);
    return stored && Buffer.from(stored.value).toString('utf8');
  }

  dropAll(code: number, reason: string): void {
    for (const socket of this.#sockets.clients) socket.close(code, reason);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }

  #onFrame(socket: WebSocket, data: Buffer): void {
    const { body }: ClientFrame = fromBinary(ClientFrameSchema, data);
    if (body.case === 'hello') {
      const value = { protocolVersion: 1, epoch: 1n, serverVersion: 'fake', limits: LIMITS };
      this.#send(socket, { case: 'welcome', value });
    } else if (body.case === 'operations') {
      const { operations } = body.value;
      this.inFlightSeen = Math.max(this.inFlightSeen, operations.length);
      const results = operations.map((operation) => this.#answer(operation));
      this.#send(socket, { case: 'results', value: { results } });
    } else if (body.case === 'subscribe') this.#subscribe(socket, body.value);
  }

  #subscribe(socket: WebSocket, { subscriptionId }: Subscribe): void {
    this.subscribers.add(socket);
    this.#send(socket, { case: 'subscribed', value: { subscriptionId, topics: [1] } });
  }

  #answer(operation: Operation): ResultInit {
    const { requestId } = operation;
    const refusal = this.refuse(operation);
    if (refusal) return { requestId, ...refusal };
    const name = `${operation.map}/${operation.key}`;
    if (operation.kind === OperationKind.GET) return this.#found(requestId, name);
    return this.#write(operation, name);
  }

  #found(requestId: number, name: string): ResultInit {
    const stored = this.records.get(name);
    return stored
      ? { requestId, outcome: Code.FOUND, ...stored }
      : { requestId, outcome: Code.ABSENT };
  }

  #write(operation: Operation, name: string): ResultInit {
    const { requestId, key, value, valueKind, stamp, node } = operation;
    const partition = partitionOf(hashOf(Buffer.from(key)));
    const sequence = ++this.#sequence;
    if (stamp >= this.#clock) this.#clock = stamp + 1n;
    const level = operation.ackLevel === AckLevel.SAFE ? Level.DATABASE : Level.MEMORY;
    const removed = operation.kind === OperationKind.REMOVE;
    const standing = this.records.get(name);
    if (standing && standing.stamp > stamp)
      return { requestId, outcome: Code.SUPERSEDED, level, partition, stamp: standing.stamp };
    if (removed) this.records.delete(name);
    else this.records.set(name, { value, valueKind, stamp, node, sequence });
    if (!removed) this.puts++;
    const kind = removed ? EventKind.REMOVE : EventKind.PUT;
    const event = { kind, partition, sequence, key, value, valueKind, stamp, node };
    for (const socket of this.subscribers)
      this.#send(socket, { case: 'events', value: { topic: 1, events: [event] } });
    return { requestId, outcome: Code.APPLIED, level, partition, sequence, stamp, node };
  }

  #send(socket: WebSocket, body: Body): void {
    const frame = create(ServerFrameSchema, { clock: this.#clock, body } as MessageInitShape<
      typeof ServerFrameSchema
    >);
    socket.send(toBinary(ServerFrameSchema, frame));
  }
}
