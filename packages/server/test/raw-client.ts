import { once } from 'node:events';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  ClientFrameSchema,
  type Error as ErrorFrame,
  type Event,
  type OperationSchema,
  type Progress,
  type Result,
  type ServerFrame,
  ServerFrameSchema,
  type Slice,
  type Welcome,
} from '@tidewire/schemas';
import { type ClientOptions, type RawData, WebSocket } from 'ws';

export type Body = MessageInitShape<typeof ClientFrameSchema>['body'];
export type OperationInit = MessageInitShape<typeof OperationSchema>;

/** Frames of one connection, written and read by the schema: no library of ours in between. */
export class RawClient {
  readonly events: Event[] = [];
  readonly slices: Slice[] = [];
  readonly errors: ErrorFrame[] = [];
  readonly lags: boolean[] = [];
  /** Catch-ups that have ended. */
  caughtUp = 0;
  progress: Progress | undefined;
  /** The newest clock that the server has shown. */
  clock = 0n;
  /** How the server ended the connection. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly socket: WebSocket;
  #isClosed = false;
  #requestId = 0;
  #subscriptionId = 0;
  readonly #results: Map<number, (result: Result) => void> = new Map();
  readonly #onSubscribed: Map<number, () => void> = new Map();
  #waiting: { readonly condition: () => boolean; readonly resolve: () => void }[] = [];
  readonly #bodies: Set<string> = new Set();
  lastPong = 0n;
  welcome: Welcome | undefined;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.#onFrame(data));
    socket.on('error', () => {}); // `close` follows
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#isClosed = true;
        this.#look();
        resolve({ code, reason: String(reason) });
      });
    });
  }

  /** A connection that has not said Hello. */
  static async open(url: string, options: ClientOptions = {}): Promise<RawClient> {
    const socket = new WebSocket(url, { perMessageDeflate: false, ...options });
    const client = new RawClient(socket);
    await once(socket, 'open');
    return client;
  }

  static async connect(url: string, node = 7, options: ClientOptions = {}): Promise<RawClient> {
    const client = await RawClient.open(url, options);
    client.say({ case: 'hello', value: { protocolVersion: 1, node } });
    await client.until(() => client.has('welcome'));
    return client;
  }

  say(body: Body, clock = 0n): void {
    this.sayBytes(encodeFrame(body, clock));
  }

  sayBytes(bytes: Uint8Array): void {
    this.socket.send(bytes);
  }

  /** Sends one frame of operations; resolves with their results in the same order. */
  operate(...operations: OperationInit[]): Promise<Result[]> {
    return Promise.all(this.submit(operations));
  }

  /** As `operate`, with each result as soon as it comes. */
  submit(operations: readonly OperationInit[]): Promise<Result>[] {
    const numbered = operations.map((operation) => ({
      ...operation,
      requestId: ++this.#requestId,
    }));
    const results = numbered.map(
      ({ requestId }) => new Promise<Result>((resolve) => this.#results.set(requestId, resolve)),
    );
    this.say({ case: 'operations', value: { operations: numbered } });
    return results;
  }

  /** Resolves once the subscription is live. */
  async subscribe(map: string, key = ''): Promise<number> {
    const subscriptionId = ++this.#subscriptionId;
    let isLive = false;
    this.#onSubscribed.set(subscriptionId, () => {
      isLive = true;
    });
    this.say({ case: 'subscribe', value: { subscriptionId, map, key } });
    await this.until(() => isLive || this.errors.length > 0);
    return subscriptionId;
  }

  /** Resolves when everything said before has been read by the server. */
  async ping(clock = 0n): Promise<void> {
    const token = this.lastPong + 1n;
    this.say({ case: 'ping', value: { token } }, clock);
    await this.until(() => this.lastPong === token);
  }

  /** Looks after every frame; rejects if the connection ends before. */
  async until(condition: () => boolean): Promise<void> {
    if (condition()) return;
    await new Promise<void>((resolve) => this.#waiting.push({ condition, resolve }));
    if (!condition()) throw new Error('the connection has ended');
  }

  /** By the server's Welcome. */
  get epoch(): bigint {
    return this.welcome?.epoch ?? 0n;
  }

  has(body: string): boolean {
    return this.#bodies.has(body);
  }

  close(): void {
    this.socket.terminate();
  }

  #onFrame(data: RawData): void {
    const frame = fromBinary(ServerFrameSchema, data as Buffer);
    this.clock = frame.clock;
    this.#take(frame.body);
    this.#bodies.add(frame.body.case ?? '');
    this.#look();
  }

  #take(body: ServerFrame['body']): void {
    switch (body.case) {
      case 'welcome':
        this.welcome = body.value;
        break;
      case 'results':
        for (const result of body.value.results) this.#onResult(result);
        break;
      case 'events':
        this.events.push(...body.value.events);
        break;
      case 'eventGroups':
        for (const { events } of body.value.groups) this.events.push(...events);
        break;
      case 'subscribed':
        this.#onSubscribed.get(body.value.subscriptionId)?.();
        break;
      case 'catchUp':
        this.slices.push(...body.value.slices);
        if (body.value.isDone) this.caughtUp++;
        break;
      case 'progress':
        this.progress = body.value;
        break;
      case 'lag':
        this.lags.push(body.value.isLagging);
        break;
      case 'error':
        this.errors.push(body.value);
        break;
      case 'pong':
        this.lastPong = body.value.token;
    }
  }

  #onResult(result: Result): void {
    this.#results.get(result.requestId)?.(result);
    this.#results.delete(result.requestId);
  }

  #look(): void {
    this.#waiting = this.#waiting.filter(({ condition, resolve }) => {
      if (!this.#isClosed && !condition()) return true;
      resolve();
      return false;
    });
  }
}

export function encodeFrame(body: Body, clock = 0n): Uint8Array {
  const init = { clock, ...(body === undefined ? {} : { body }) };
  return toBinary(ClientFrameSchema, create(ClientFrameSchema, init));
}
