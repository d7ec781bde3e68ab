import type { MessageInitShape } from '@bufbuild/protobuf';
import {
  type CursorSchema,
  type Event,
  type Progress,
  type ServerFrame,
  type Slice,
  StartFrom,
  type SubscribeSchema,
  type Welcome,
} from '@tidewire/schemas';
import type { TestBench } from './bench.js';
import type { FakeClient } from './fake-transport.js';
import { ReferenceView } from './reference-view.js';

export type Wish = Omit<MessageInitShape<typeof SubscribeSchema>, '$typeName'>;

/** One subscription over all connections. */
export interface Followed {
  readonly id: number;
  readonly wish: Wish;
  readonly view: ReferenceView;
  topics: readonly number[];
  /** On this connection, what slices have shown of each partition. */
  readonly shown: Map<number, bigint>;
  /** Of each key, the newest state that it was shown in this epoch. */
  readonly newest: Map<string, bigint>;
  /** How it was asked for on this connection. */
  start: StartFrom;
  /** Nothing is missing: the cursor speaks for it. */
  isDone: boolean;
  refusal: string | undefined;
}

/** A client that keeps to docs/subscriptions.md: cursor, views, and how to come back. */
export class ReferenceClient {
  readonly followed = new Map<number, Followed>();
  connection: FakeClient;
  isLagging = false;
  lags = 0;
  onProgress: (delivered: ReadonlyMap<number, bigint>) => void = () => {};
  /** A live event has come, before its view takes it. */
  onEvent: (one: Followed, event: Event) => void = () => {};
  /** Of the last Progress; undefined: there was none. */
  #origin: { store: bigint; epoch: bigint } | undefined;
  #delivered = new Map<number, bigint>();
  /** The highest sequences seen, of the cursor's epoch and later. */
  #seen = new Map<number, bigint>();
  #seenHere = new Map<number, bigint>();
  #store = 0n;
  #epoch = 0n;
  #taken = 0;
  /** The last sequence of each topic and partition on this connection. */
  readonly #order = new Map<string, bigint>();
  readonly #node: number;

  constructor(bench: TestBench, node: number) {
    this.#node = node;
    this.connection = bench.stranger();
    this.connect(bench, this.connection);
  }

  get cursor(): MessageInitShape<typeof CursorSchema> | undefined {
    if (this.#origin === undefined) return undefined;
    const listOf = (sequences: Map<number, bigint>) =>
      [...sequences].map(([partition, sequence]) => ({ partition, sequence }));
    return { ...this.#origin, delivered: listOf(this.#delivered), seen: listOf(this.#seen) };
  }

  connect(bench: TestBench, connection: FakeClient = bench.stranger()): void {
    this.connection = connection;
    this.#taken = 0;
    this.isLagging = false;
    this.#order.clear();
    this.#seenHere.clear();
    const { cursor } = this;
    const hello = { protocolVersion: 1, node: this.#node, ...(cursor && { cursor }) };
    connection.say({ case: 'hello', value: hello });
    this.take();
    for (const one of this.followed.values()) {
      const canResume = one.isDone && this.#origin !== undefined;
      this.#ask(one, canResume ? StartFrom.RESUME : StartFrom.SNAPSHOT);
    }
  }

  disconnect(): void {
    this.take();
    this.connection.close(1000);
    for (const { view } of this.followed.values()) view.onDisconnect();
  }

  follow(id: number, wish: Wish): Followed {
    const view = new ReferenceView();
    const start = wish.start ?? StartFrom.SNAPSHOT;
    const shown = new Map<number, bigint>();
    const newest = new Map<string, bigint>();
    const common = { id, wish, view, shown, newest, topics: [], start };
    const one: Followed = { ...common, isDone: false, refusal: undefined };
    this.followed.set(id, one);
    this.#ask(one, start);
    return one;
  }

  unfollow(id: number): void {
    this.take();
    this.followed.delete(id);
    this.connection.say({ case: 'unsubscribe', value: { subscriptionId: id } });
  }

  /** Takes in what the server has sent since the last call. */
  take(): void {
    const { frames } = this.connection;
    while (this.#taken < frames.length) this.#take(frames[this.#taken++]);
  }

  #ask(one: Followed, start: StartFrom): void {
    one.start = start;
    one.shown.clear();
    const key = one.wish.key ?? '';
    const knownSequence = key === '' ? 0n : (one.view.states.get(key)?.sequence ?? 0n);
    const value = { ...one.wish, subscriptionId: one.id, start, knownSequence };
    one.isDone = false;
    one.topics = [];
    this.connection.say({ case: 'subscribe', value });
  }

  #take({ body }: ServerFrame): void {
    switch (body.case) {
      case 'welcome':
        return this.#onWelcome(body.value);
      case 'subscribed':
        return this.#onSubscribed(body.value.subscriptionId, body.value.topics);
      case 'events':
        return this.#onEvents(body.value.topic, body.value.events);
      case 'eventGroups':
        for (const { topic, events } of body.value.groups) this.#onEvents(topic, events);
        return;
      case 'catchUp':
        return this.#onSlices(body.value.subscriptionId, body.value.slices, body.value.isDone);
      case 'progress':
        return this.#onProgress(body.value);
      case 'lag':
        this.isLagging = body.value.isLagging;
        if (this.isLagging) this.lags++;
        return;
      case 'error':
        return this.#onError(body.value.subscriptionId, body.value.detail);
    }
  }

  #onWelcome({ store, epoch, salt }: Welcome): void {
    for (const { view, newest } of this.followed.values()) {
      view.salt = salt;
      if (epoch !== this.#epoch) newest.clear();
    }
    this.#store = store;
    this.#epoch = epoch;
  }

  #onSubscribed(id: number, topics: readonly number[]): void {
    const one = this.followed.get(id);
    if (one === undefined) return;
    one.topics = topics;
    const welcome = this.connection.last('welcome');
    if (welcome !== undefined) one.view.salt = welcome.salt;
    if (one.start === StartFrom.NOW) one.isDone = true;
  }

  #onEvents(topic: number, events: readonly Event[]): void {
    if (this.isLagging) throw new Error('an event came while lagging');
    for (const event of events) {
      this.#keepOrder(`${topic}/${event.key}`, event.sequence);
      this.#see(event);
      for (const one of this.followed.values()) {
        if (!one.topics.includes(topic)) continue;
        this.onEvent(one, event);
        onEvent(one, event);
      }
    }
  }

  /** Live events of one key come in order. */
  #keepOrder(name: string, sequence: bigint): void {
    const last = this.#order.get(name) ?? 0n;
    if (sequence <= last) throw new Error(`${name}: ${sequence} after ${last}`);
    this.#order.set(name, sequence);
  }

  #onSlices(id: number, slices: readonly Slice[], isDone: boolean): void {
    const one = this.followed.get(id);
    if (one === undefined) return;
    for (const slice of slices) {
      this.#see(slice);
      one.shown.set(slice.partition, slice.sequence);
      for (const event of slice.events) keepOrder(one, event);
      one.view.onSlice(slice);
    }
    if (isDone) one.isDone = true;
  }

  #onProgress({ epoch, delivered }: Progress): void {
    if (this.#origin?.epoch !== epoch) this.#seen = new Map(this.#seenHere);
    this.#origin = { store: this.#store, epoch };
    for (const { partition, sequence } of delivered) this.#delivered.set(partition, sequence);
    for (const [partition, sequence] of this.#seen)
      if (sequence <= (this.#delivered.get(partition) ?? 0n)) this.#seen.delete(partition);
    this.onProgress(this.#delivered);
  }

  /** A subscription that cannot resume begins again. */
  #onError(id: number, detail: string): void {
    const one = this.followed.get(id);
    if (one === undefined) return;
    one.refusal = detail;
    this.#ask(one, StartFrom.SNAPSHOT);
  }

  #see({ partition, sequence }: { partition: number; sequence: bigint }): void {
    for (const seen of [this.#seen, this.#seenHere])
      if (sequence > (seen.get(partition) ?? 0n)) seen.set(partition, sequence);
  }
}

/** What comes later is newer: a slice has shown all that was before it. */
function onEvent(one: Followed, event: Event): void {
  const { id, wish, shown, view } = one;
  const isHeldBack = (wish.maxHz ?? 0) > 0;
  if (!isHeldBack && event.sequence <= (shown.get(event.partition) ?? 0n))
    throw new Error(`${id}: ${event.key} ${event.sequence} comes behind a newer slice`);
  if (!view.isStale(event)) keepOrder(one, event);
  view.onEvent(event);
}

/** In one epoch a key's states come in order, whatever connections lie between. */
function keepOrder({ id, newest }: Followed, { key, sequence }: Event): void {
  const last = newest.get(key) ?? 0n;
  if (sequence < last) throw new Error(`${id}: ${key} ${sequence} is shown after ${last}`);
  newest.set(key, sequence);
}
