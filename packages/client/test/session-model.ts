import {
  type Event,
  EventKind,
  type Hello,
  type Slice,
  SliceKind,
  StartFrom,
  type Subscribe,
} from '@tidewire/schemas';
import type { FakeSocket } from './fake-socket.js';
import { changes, gone, hashOf, put, type SliceInit, utf8 } from './frames.js';
import {
  isEven,
  kindOf,
  PARTITIONS,
  type Plan,
  partitionOf,
  type ServerModel,
  type State,
} from './server-model.js';

/** What one subscription still misses of a partition. */
interface Pending {
  readonly partition: number;
  readonly from: number | 'all';
  /** How far it has come: a sequence, or a place among the keys. */
  reached: number | 'all';
  position: string;
  begun: boolean;
}

interface Topic {
  readonly subscribe: Subscribe;
  readonly number: number;
  /** With max_hz: the latest event of each key that waits. */
  readonly waiting: Map<string, Event>;
  /** How its first stream began, until that has ended. */
  first: Plan | undefined;
  stream: Pending[] | undefined;
  /** What comes continues what the client knows. */
  resumes: boolean;
  gapNoted: boolean;
}

/** A connection as the model's gateway sees it. */
export class ModelSession {
  readonly #server: ServerModel;
  readonly #socket: FakeSocket;
  readonly #salt: Uint8Array;
  readonly #hello: Hello;
  readonly #resumption: Plan | undefined;
  readonly #topics = new Map<number, Topic>();
  #framesTaken = 1;
  #told: number[] | undefined;
  #isLagging = false;

  constructor(server: ServerModel, socket: FakeSocket, salt: Uint8Array) {
    this.#server = server;
    this.#socket = socket;
    this.#salt = salt;
    socket.welcome({}, { store: server.store, epoch: server.epoch, salt });
    this.#hello = socket.frames[0].body.value as Hello;
    this.#resumption = server.resumptionOf(this.#hello);
  }

  get isLagging(): boolean {
    return this.#isLagging;
  }

  get #streaming(): Topic[] {
    return [...this.#topics.values()].filter(({ stream }) => stream !== undefined);
  }

  /** Takes so many frames of what the client has sent. */
  takeFrames(framesMax: number): void {
    const { frames } = this.#socket;
    const end = Math.min(frames.length, this.#framesTaken + framesMax);
    for (; this.#framesTaken < end; this.#framesTaken++) {
      const { body } = frames[this.#framesTaken];
      if (body.case === 'subscribe') this.#subscribe(body.value);
    }
  }

  onChange(state: State, before: number | undefined): void {
    if (this.#isLagging) return;
    for (const topic of this.#topics.values()) {
      const kind = kindOf(topic.subscribe, state, before);
      if (kind === undefined) continue;
      const event = eventOf(state, kind);
      if (topic.subscribe.maxHz > 0) topic.waiting.set(state.key, event);
      else this.#publish(topic, [event]);
    }
  }

  /** A part of a second has passed. */
  beat(): void {
    for (const topic of this.#topics.values()) {
      this.#publish(topic, [...topic.waiting.values()]);
      topic.waiting.clear();
    }
  }

  /** Tells how far everything is, unless something is still missing. */
  progress(): void {
    if (this.#isLagging || this.#streaming.length > 0 || this.#topics.size === 0) return;
    this.beat();
    this.#told = this.#server.sequences;
    const delivered = this.#told.map((sequence, partition) => ({
      partition,
      sequence: BigInt(sequence),
    }));
    this.#socket.push({ case: 'progress', value: { epoch: this.#server.epoch, delivered } });
  }

  /** One slice of one stream, of at most so many keys. False if nothing is missing. */
  advance(pick: <T>(choices: readonly T[]) => T, keysMax: number): boolean {
    const streaming = this.#streaming;
    if (streaming.length === 0) return false;
    this.#advance(pick(streaming), keysMax);
    return true;
  }

  /** The worker has died: its streams begin anew, less the partitions that had ended. */
  restartStreams(): void {
    for (const { stream = [] } of this.#topics.values())
      for (const pending of stream) {
        pending.reached = pending.from;
        pending.position = '';
        pending.begun = false;
      }
  }

  lag(): void {
    const canCatchUp = (topic: Topic): boolean =>
      this.#told !== undefined || topic.first !== undefined;
    if (this.#isLagging || ![...this.#topics.values()].every(canCatchUp)) return;
    this.#isLagging = true;
    this.#socket.push({ case: 'lag', value: { isLagging: true } });
    for (const topic of this.#topics.values()) {
      topic.stream = undefined;
      topic.waiting.clear();
    }
  }

  drain(): void {
    if (!this.#isLagging) return;
    this.#isLagging = false;
    this.#socket.push({ case: 'lag', value: { isLagging: false } });
    const told = this.#told ?? [];
    for (const topic of this.#topics.values())
      this.#begin(topic, topic.first ?? ((partition) => told[partition]));
  }

  #subscribe(subscribe: Subscribe): void {
    const { subscriptionId, start } = subscribe;
    const number = subscriptionId + 100;
    const topic: Topic = {
      subscribe,
      number,
      waiting: new Map(),
      first: undefined,
      stream: undefined,
      resumes: start !== StartFrom.SNAPSHOT,
      gapNoted: false,
    };
    this.#topics.set(subscriptionId, topic);
    this.#socket.push({ case: 'subscribed', value: { subscriptionId, topics: [number] } });
    if (this.#isLagging) topic.first = this.#planOf(subscribe);
    else if (start !== StartFrom.NOW) this.#begin(topic, this.#planOf(subscribe));
    else this.progress();
  }

  #planOf({ start, key, knownSequence }: Subscribe): Plan {
    if (start === StartFrom.SNAPSHOT) return () => 'all';
    if (start === StartFrom.NOW) {
      const now = this.#server.sequences;
      return (partition) => now[partition];
    }
    if (this.#resumption === undefined) throw new Error('a cursor was resumed that is refused');
    if (key === '') return this.#resumption;
    const known = Number(knownSequence);
    const base = this.#server.baseOf(this.#hello.cursor?.epoch ?? 0n, partitionOf(key));
    return () => (known <= base ? known : 'all');
  }

  #begin(topic: Topic, plan: Plan): void {
    topic.first ??= plan;
    const { key } = topic.subscribe;
    const partitions = key === '' ? [...Array(PARTITIONS).keys()] : [partitionOf(key)];
    topic.stream = partitions.map((partition) => ({
      partition,
      from: plan(partition),
      reached: plan(partition),
      position: '',
      begun: false,
    }));
  }

  #advance(topic: Topic, keysMax: number): void {
    const stream = topic.stream as Pending[];
    const [pending] = stream;
    const isKey = topic.subscribe.key !== '';
    const slice = isKey ? this.#keySlice(topic, pending) : this.#slice(topic, pending, keysMax);
    if (slice === undefined || slice.ends) stream.shift();
    const isDone = stream.length === 0;
    if (isDone) {
      topic.stream = undefined;
      topic.first = undefined;
      topic.resumes = true;
      topic.gapNoted = false;
    }
    const { subscriptionId } = topic.subscribe;
    const sequence = BigInt(this.#server.partitions[pending.partition].sequence);
    const slices = (slice ? [{ ...slice, sequence }] : []) as Slice[];
    this.#socket.push({ case: 'catchUp', value: { subscriptionId, slices, isDone } });
    this.progress();
  }

  #keySlice({ subscribe }: Topic, { partition, from }: Pending): SliceInit | undefined {
    const state = this.#server.partitions[partition].states.get(subscribe.key);
    if (from === (state?.sequence ?? 0)) return undefined;
    const stands = state?.n !== undefined;
    const slice = changes(stands ? [eventOf(state, EventKind.PUT)] : [], { partition });
    return { ...slice, kind: SliceKind.SNAPSHOT };
  }

  #slice(topic: Topic, pending: Pending, keysMax: number): SliceInit {
    const { gc, sequence } = this.#server.partitions[pending.partition];
    if (pending.reached !== 'all' && pending.from !== 'all') {
      const slice = pending.from < gc ? undefined : this.#changes(topic, pending, keysMax);
      if (slice && pending.reached === sequence) slice.ends = true;
      if (slice) return slice;
      pending.reached = 'all'; // tombstones that it needs are gone
      pending.begun = false;
    }
    return this.#snapshot(topic, pending, keysMax);
  }

  /** Of what changed above the place reached, in the order of the journal. */
  #changes(topic: Topic, pending: Pending, keysMax: number): SliceInit {
    const { states } = this.#server.partitions[pending.partition];
    const reached = pending.reached as number;
    const next = [...states.values()]
      .filter(({ sequence }) => sequence > reached)
      .sort((a, b) => a.sequence - b.sequence)
      .slice(0, keysMax);
    pending.reached = next.at(-1)?.sequence ?? this.#server.partitions[pending.partition].sequence;
    const { where } = topic.subscribe;
    const told = next.filter((state) => where === undefined || isMatch(topic, state));
    const slice = changes(told.map(stateEvent), {
      partition: pending.partition,
      forgotten: next.filter((state) => !told.includes(state)).map(({ key }) => this.#hash(key)),
      begins: !pending.begun,
      ends: false,
    });
    pending.begun = true;
    return slice;
  }

  #snapshot(topic: Topic, pending: Pending, keysMax: number): SliceInit {
    if (!pending.begun) this.#noteGap(topic);
    const { states } = this.#server.partitions[pending.partition];
    const rest = [...states.values()]
      .filter((state) => state.key > pending.position && isMatch(topic, state))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const next = rest.slice(0, keysMax);
    pending.position = next.at(-1)?.key ?? pending.position;
    const slice = changes(next.map(stateEvent), {
      partition: pending.partition,
      kind: SliceKind.SNAPSHOT,
      begins: !pending.begun,
      ends: next.length === rest.length,
    });
    pending.begun = true;
    return slice;
  }

  /** It resumes, and cannot: to be told once until it is whole again. */
  #noteGap(topic: Topic): void {
    const { subscriptionId, key } = topic.subscribe;
    if (!topic.resumes || topic.gapNoted || key !== '') return;
    topic.gapNoted = true;
    this.#server.gaps.set(subscriptionId, (this.#server.gaps.get(subscriptionId) ?? 0) + 1);
  }

  #hash(key: string): bigint {
    return hashOf(key, this.#salt);
  }

  #publish({ number }: Topic, events: readonly Event[]): void {
    if (events.length > 0 && !this.#isLagging)
      this.#socket.push({ case: 'events', value: { topic: number, events: [...events] } });
  }
}

function isMatch({ subscribe }: Topic, { n }: State): boolean {
  return n !== undefined && (subscribe.where === undefined || isEven(n));
}

function stateEvent(state: State): Event {
  return eventOf(state, state.n === undefined ? EventKind.REMOVE : EventKind.PUT);
}

function eventOf({ key, n, sequence, stamp }: State, kind: EventKind): Event {
  const more = { kind, stamp, partition: partitionOf(key) };
  if (kind === EventKind.REMOVE || kind === EventKind.LEAVE) return gone(key, sequence, more);
  return put(key, sequence, { ...more, value: utf8(`${n}`) });
}
