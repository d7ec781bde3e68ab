import { createServer, type Server } from 'node:http';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  compilePredicate,
  fieldOf,
  fieldReader,
  hashOf,
  NOT_JSON,
  packStamp,
  partitionOf,
  predicateOf,
  type QueriedRecord,
  type RecordTest,
} from '@tidewire/core';
import {
  AckLevel,
  type ClientFrame,
  ClientFrameSchema,
  Code,
  type Event,
  EventKind,
  EventSchema,
  Level,
  type Operation,
  OperationKind,
  type Predicate,
  type Query,
  type ResultSchema,
  type RowsSchema,
  ServerFrameSchema,
  SliceKind,
  StartFrom,
  type Subscribe,
  ValueKind,
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
  predicateBytesMax: 8192,
  predicateNodesMax: 64,
  predicateDepthMax: 16,
  queriesMax: 4,
  queryRowsMax: 1000,
};
const ROWS_A_FRAME = 100;

interface Subscriber {
  readonly socket: WebSocket;
  readonly subscribe: Subscribe;
  readonly isMatch: RecordTest;
}

/** A server of one map of records in plain memory, for the command line's tests. */
export class FakeServer {
  readonly records = new Map<string, Stored>();
  readonly subscribers = new Set<Subscriber>();
  readonly subscriptions: Subscribe[] = [];
  readonly queries: Query[] = [];
  /** What a test wants a query to be answered instead of its rows. */
  refuseQuery: (query: Query) => MessageInitShape<typeof RowsSchema> | undefined = () => undefined;
  /** What a test wants an operation to be answered instead of being carried out. */
  refuse: (operation: Operation) => ResultInit | undefined = () => undefined;
  info: unknown = {};
  infoStatus = 200;
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
      socket.on('close', () => {
        for (const each of this.subscribers)
          if (each.socket === socket) this.subscribers.delete(each);
      });
    });
    http.on('request', (request, response) => {
      response.statusCode = request.url === '/info' ? this.infoStatus : 404;
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

  /** Bytes that its connections have not taken. */
  get unsentBytes(): number {
    let bytes = 0;
    for (const { bufferedAmount } of this.#sockets.clients) bytes += bufferedAmount;
    return bytes;
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
      const named = { protocolVersion: 1, epoch: 1n, store: 5n, memory: 1n, serverVersion: 'fake' };
      const value = { ...named, salt: new Uint8Array(16), limits: LIMITS };
      this.#send(socket, { case: 'welcome', value });
    } else if (body.case === 'operations') {
      const { operations } = body.value;
      this.inFlightSeen = Math.max(this.inFlightSeen, operations.length);
      const results = operations.map((operation) => this.#answer(operation));
      this.#send(socket, { case: 'results', value: { results } });
    } else if (body.case === 'subscribe') this.#subscribe(socket, body.value);
    else if (body.case === 'query') this.#query(socket, body.value);
  }

  /** All partitions are one; the topic is the number of the subscription. */
  #subscribe(socket: WebSocket, subscribe: Subscribe): void {
    const { subscriptionId, map, key, start } = subscribe;
    const isMatch = testOf(subscribe.where);
    this.subscriptions.push(subscribe);
    this.subscribers.add({ socket, subscribe, isMatch });
    this.#send(socket, { case: 'subscribed', value: { subscriptionId, topics: [subscriptionId] } });
    if (start !== StartFrom.SNAPSHOT) return;
    const events = this.#events(map).filter(
      (event) => (key === '' || event.key === key) && isMatch(queriedOf(event)),
    );
    const slice = { kind: SliceKind.SNAPSHOT, begins: true, ends: true, events };
    this.#send(socket, {
      case: 'catchUp',
      value: { subscriptionId, slices: [slice], isDone: true },
    });
  }

  #query(socket: WebSocket, query: Query): void {
    this.queries.push(query);
    const { requestId, map, where, orderBy, descending, limit, countOnly } = query;
    const refusal = this.refuseQuery(query);
    const end = (value: MessageInitShape<typeof RowsSchema>): void =>
      this.#send(socket, {
        case: 'rows',
        value: { ...value, requestId, isDone: true } as typeof value,
      });
    if (refusal) return end(refusal);
    const isMatch = testOf(where);
    const matching = this.#events(map).filter((event) => isMatch(queriedOf(event)));
    const field = orderBy && fieldReader(fieldOf(orderBy));
    const order = (event: Event): string | number =>
      field ? (field(queriedOf(event)) as string | number) : event.key;
    if (limit > 0) matching.sort((a, b) => (order(a) < order(b) === descending ? 1 : -1));
    const rows = countOnly ? [] : matching.slice(0, limit || matching.length);
    for (let i = 0; i < rows.length; i += ROWS_A_FRAME)
      this.#send(socket, {
        case: 'rows',
        value: { requestId, rows: rows.slice(i, i + ROWS_A_FRAME) },
      });
    end({ count: BigInt(matching.length) });
  }

  #events(map: string): Event[] {
    const named = [...this.records].filter(([name]) => name.startsWith(`${map}/`));
    return named.map(([name, stored]) =>
      create(EventSchema, { kind: EventKind.PUT, key: name.slice(map.length + 1), ...stored }),
    );
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
    const event = create(EventSchema, { partition, sequence, key, value, valueKind, stamp, node });
    this.#publish(operation, event, standing);
    return { requestId, outcome: Code.APPLIED, level, partition, sequence, stamp, node };
  }

  #publish({ map, kind }: Operation, event: Event, standing: Stored | undefined): void {
    const before = standing && { ...event, ...standing };
    for (const { socket, subscribe, isMatch } of this.subscribers) {
      if (subscribe.map !== map || (subscribe.key !== '' && subscribe.key !== event.key)) continue;
      const was = before !== undefined && isMatch(queriedOf(before));
      const is = kind === OperationKind.PUT && isMatch(queriedOf(event));
      const told = eventKindOf(subscribe, was, is);
      if (told === undefined) continue;
      const old = before && subscribe.withOld && was;
      const more = old ? { oldValue: before.value, oldValueKind: before.valueKind } : {};
      const value = {
        topic: subscribe.subscriptionId,
        events: [{ ...event, kind: told, ...more }],
      };
      this.#send(socket, { case: 'events', value });
    }
  }

  #send(socket: WebSocket, body: Body): void {
    const frame = create(ServerFrameSchema, { clock: this.#clock, body } as MessageInitShape<
      typeof ServerFrameSchema
    >);
    socket.send(toBinary(ServerFrameSchema, frame));
  }
}

function testOf(where: Predicate | undefined): RecordTest {
  return where ? compilePredicate(predicateOf(where)) : () => true;
}

function queriedOf({ key, value, valueKind, stamp }: Omit<Event, '$typeName'>): QueriedRecord {
  const text = valueKind === ValueKind.BYTES ? '' : Buffer.from(value).toString('utf8');
  return { key, stampMs: Number(stamp >> 16n), value: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return NOT_JSON;
  }
}

function eventKindOf({ where }: Subscribe, was: boolean, is: boolean): EventKind | undefined {
  if (where === undefined) return is ? EventKind.PUT : EventKind.REMOVE;
  if (is) return was ? EventKind.UPDATE : EventKind.ENTER;
  return was ? EventKind.LEAVE : undefined;
}
