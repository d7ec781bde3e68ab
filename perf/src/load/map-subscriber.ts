import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { PARTITIONS, PROTOCOL_VERSION } from '@tidewire/core';
import {
  ClientFrameSchema,
  type CursorSchema,
  type Event,
  EventKind,
  type PartitionSequence,
  type ServerFrame,
  ServerFrameSchema,
  type Slice,
  SliceKind,
  StartFrom,
  type Welcome,
} from '@tidewire/schemas';
import { Inbox } from './inbox.js';
import { MAP } from './operation-template.js';
import { maskedMessage, PONG, upgradeRequest, WebSocketReader } from './websocket.js';

const INBOX_BYTES: number = 64 * 1024;
const PATIENCE_MS = 60_000;
/** The server takes a connection for dead from which nothing comes. */
const SIGN_INTERVAL_MS = 5000;

export type SubscriberCursor = MessageInitShape<typeof CursorSchema>;

/** What a subscriber holds of a key. */
export interface Held {
  readonly sequence: bigint;
  /** Of the write: its stamp, then its node. */
  readonly order: bigint;
}

const NODE_BITS = 24n;

/** What a subscription is asked for, and told how far it has got. */
export interface SubscriberOptions {
  readonly port: number;
  readonly start: StartFrom;
  readonly cursor?: SubscriberCursor;
}

/**
 * One subscriber of the measured map, by the rules of docs/subscriptions.md and with protobuf-es: it
 * counts its bytes and knows what it holds. Not for the hot path of a load.
 */
export class MapSubscriber extends WebSocketReader {
  /** Bytes of messages received since Subscribed. */
  bytes = 0;
  /** Told that it reads too slowly. */
  lags = 0;
  /** Of `bytes`, those until it was live and knew its cursor. */
  bytesToLive = 0;
  /** Keys that a SNAPSHOT took back, or set to an older state. */
  rolledBack = 0;
  /** Effects of a write that this epoch's events had shown before, or a newer one of its key. */
  repeated = 0;
  readonly held: Map<string, Held> = new Map();
  readonly #options: SubscriberOptions;
  readonly #socket: Socket;
  readonly #inbox: Inbox = new Inbox(INBOX_BYTES);
  readonly #delivered: BigUint64Array = new BigUint64Array(PARTITIONS);
  /** The highest sequence of an event. */
  readonly #seen: BigUint64Array = new BigUint64Array(PARTITIONS);
  readonly #partitionOf: Map<string, number> = new Map();
  /** Key → order of the last write that had an effect, in this epoch. */
  readonly #effects: Map<string, bigint> = new Map();
  #effectsEpoch = 0n;
  /** Partitions whose SNAPSHOT runs → keys it has shown. */
  readonly #shown: Map<number, Set<string>> = new Map();
  #welcome: Welcome | undefined;
  #isDone = false;
  #hasProgress = false;
  #fault: Error | undefined;
  #wake: () => void = () => {};
  #signs: NodeJS.Timeout | undefined;

  private constructor(options: SubscriberOptions) {
    super();
    this.#options = options;
    for (const { partition, sequence } of options.cursor?.delivered ?? [])
      this.#delivered[partition ?? 0] = BigInt(sequence ?? 0);
    this.#socket = connect({ port: options.port, host: '127.0.0.1', noDelay: true });
    this.#socket.on('connect', () => this.#socket.write(upgradeRequest(options.port)));
    this.#socket.on('data', (chunk) => this.#onData(chunk));
    this.#socket.on('error', (error) => this.onFault(error.message));
    this.#socket.on('end', () => this.onFault('the server closed a subscriber'));
  }

  /** Resolves once it is live and knows its cursor. */
  static async open(options: SubscriberOptions): Promise<MapSubscriber> {
    const subscriber = new MapSubscriber(options);
    await subscriber.#becomeLive();
    return subscriber;
  }

  /** As `open`, for one that goes on where `earlier` was, holding what it held. */
  static async resume(earlier: MapSubscriber): Promise<MapSubscriber> {
    const { port } = earlier.#options;
    const options = { port, start: StartFrom.RESUME, cursor: earlier.cursor };
    const subscriber = new MapSubscriber(options);
    for (const [key, held] of earlier.held) subscriber.held.set(key, held);
    for (const [key, partition] of earlier.#partitionOf)
      subscriber.#partitionOf.set(key, partition);
    for (const [key, order] of earlier.#effects) subscriber.#effects.set(key, order);
    subscriber.#effectsEpoch = earlier.#effectsEpoch;
    await subscriber.#becomeLive();
    return subscriber;
  }

  get cursor(): SubscriberCursor {
    const delivered = [...this.#delivered]
      .map((sequence, partition) => ({ partition, sequence }))
      .filter(({ sequence }) => sequence > 0n);
    const seen = [...this.#seen]
      .map((sequence, partition) => ({ partition, sequence }))
      .filter(({ partition, sequence }) => sequence > this.#delivered[partition]);
    return {
      store: this.#welcome?.store ?? 0n,
      epoch: this.#welcome?.epoch ?? 0n,
      delivered,
      seen,
    };
  }

  /** Stops reading, and shows that it lives; what comes fills the buffers between. */
  stall(): void {
    this.#socket.pause();
    const sign = maskedMessage(new Uint8Array(0), PONG);
    this.#signs = setInterval(() => this.#socket.write(sign), SIGN_INTERVAL_MS);
  }

  /** Reads again, and resolves when it holds `count` keys whose sequences add up to `sum`. */
  async catchUp(expected: { count: number; sum: bigint }): Promise<void> {
    clearInterval(this.#signs);
    this.#socket.resume();
    await this.#until(() => this.held.size === expected.count && sumOf(this) === expected.sum);
  }

  /** Resolves once its connection has ended, and everything that had come is taken. */
  async ended(): Promise<void> {
    if (!this.#socket.closed) await once(this.#socket, 'close');
  }

  close(): void {
    clearInterval(this.#signs);
    this.#socket.removeAllListeners('end');
    this.#socket.destroy();
  }

  protected override onUpgrade(): void {
    const { cursor } = this.#options;
    const hello = { protocolVersion: PROTOCOL_VERSION, node: 1, ...(cursor && { cursor }) };
    this.#send({ case: 'hello', value: hello });
  }

  protected override onMessage(bytes: Buffer, from: number, to: number): void {
    this.bytes += to - from;
    this.#onBody(fromBinary(ServerFrameSchema, bytes.subarray(from, to)).body);
    this.#wake();
  }

  protected override onPing(pong: Uint8Array): void {
    this.#socket.write(pong);
  }

  protected override onFault(message: string): void {
    this.#fault = new Error(message);
    this.#wake();
  }

  #onData(chunk: Buffer): void {
    let from = 0;
    while (from < chunk.length) {
      const room = this.#inbox.room();
      const count = chunk.copy(room, 0, from);
      from += count;
      this.#inbox.to += count;
      this.#inbox.from = this.scan(this.#inbox.bytes, this.#inbox.from, this.#inbox.to);
    }
  }

  #onBody(body: ServerFrame['body']): void {
    switch (body.case) {
      case 'welcome':
        return this.#onWelcome(body.value);
      case 'subscribed':
        this.bytes = 0;
        this.#isDone = this.#options.start === StartFrom.NOW;
        return;
      case 'events':
        for (const event of body.value.events) this.#take(event);
        return;
      case 'catchUp':
        for (const slice of body.value.slices) this.#takeSlice(slice);
        this.#isDone ||= body.value.isDone;
        return;
      case 'progress':
        this.#onProgress(body.value.delivered);
        return;
      case 'lag':
        if (body.value.isLagging) this.lags++;
        return;
      case 'error':
        return this.onFault(body.value.detail);
    }
  }

  async #becomeLive(): Promise<void> {
    try {
      await this.#until(() => this.#isDone && this.#hasProgress);
    } catch (error) {
      this.close();
      throw error;
    }
    this.bytesToLive = this.bytes;
  }

  #onWelcome(welcome: Welcome): void {
    this.#welcome = welcome;
    if (welcome.epoch !== this.#effectsEpoch) this.#effects.clear();
    this.#effectsEpoch = welcome.epoch;
    const { start } = this.#options;
    this.#send({ case: 'subscribe', value: { subscriptionId: 1, map: MAP, start } });
  }

  #onProgress(delivered: readonly PartitionSequence[]): void {
    this.#hasProgress = true;
    for (const { partition, sequence } of delivered) this.#delivered[partition] = sequence;
  }

  #takeSlice(slice: Slice): void {
    const { kind, partition, sequence, begins, ends, events } = slice;
    this.#see(partition, sequence);
    if (kind !== SliceKind.SNAPSHOT) {
      for (const event of events) this.#take(event);
      return;
    }
    if (begins) this.#shown.set(partition, new Set());
    for (const event of events) this.#show(event);
    if (ends) this.#replace(partition);
  }

  /** A SNAPSHOT is how things are, whatever was held. */
  #show(event: Event): void {
    const held = this.held.get(event.key);
    this.#shown.get(event.partition)?.add(event.key);
    if (held !== undefined && held.order > orderOf(event.stamp, event.node)) this.rolledBack++;
    if (held?.order === orderOf(event.stamp, event.node)) this.#hold(event);
    else this.#effect(event);
  }

  #replace(partition: number): void {
    const shown = this.#shown.get(partition);
    this.#shown.delete(partition);
    for (const key of this.held.keys()) {
      if (this.#partitionOf.get(key) !== partition || shown?.has(key)) continue;
      this.held.delete(key);
      this.rolledBack++;
    }
  }

  #take(event: Event): void {
    this.#see(event.partition, event.sequence);
    if (event.sequence > (this.held.get(event.key)?.sequence ?? 0n)) this.#effect(event);
  }

  #see(partition: number, sequence: bigint): void {
    if (sequence > this.#seen[partition]) this.#seen[partition] = sequence;
  }

  /** Writes of one key have their effects in the order of stamps, each once. */
  #effect(event: Event): void {
    const order = orderOf(event.stamp, event.node);
    const last = this.#effects.get(event.key) ?? -1n;
    const isEffect = event.kind !== EventKind.REMOVE || this.held.has(event.key);
    if (isEffect && order <= last) this.repeated++;
    this.#effects.set(event.key, order);
    this.#hold(event);
  }

  #hold(event: Event): void {
    const { key, kind, partition, sequence } = event;
    this.#partitionOf.set(key, partition);
    if (kind === EventKind.REMOVE) this.held.delete(key);
    else this.held.set(key, { sequence, order: orderOf(event.stamp, event.node) });
  }

  #send(body: MessageInitShape<typeof ClientFrameSchema>['body'] & object): void {
    this.#socket.write(
      maskedMessage(toBinary(ClientFrameSchema, create(ClientFrameSchema, { body }))),
    );
  }

  #until(isMet: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error('a subscriber waits for the server in vain')),
        PATIENCE_MS,
      );
      this.#wake = () => {
        if (this.#fault === undefined && !isMet()) return;
        clearTimeout(timer);
        this.#wake = () => {};
        if (this.#fault === undefined) resolve();
        else reject(this.#fault);
      };
      this.#wake();
    });
  }
}

/** The sequences of all keys held, added: equal for equal views of one epoch. */
export function sumOf(subscriber: MapSubscriber): bigint {
  let sum = 0n;
  for (const { sequence } of subscriber.held.values()) sum += sequence;
  return sum;
}

/** Of two writes of a key the one of the higher order wins. */
export function orderOf(stamp: bigint, node: number): bigint {
  return (stamp << NODE_BITS) | BigInt(node);
}
