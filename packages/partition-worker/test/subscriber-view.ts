import { type Event, EventKind, SliceKind } from '@tidewire/schemas';
import type { Said } from './said.js';
import { partitionOfKey } from './stream-bench.js';

export interface Held {
  readonly sequence: number;
  readonly value: string;
  readonly expiresAt: number;
}

/** What a subscriber of one topic holds, by the rules of docs/subscriptions.md, in the ring's order. */
export class SubscriberView {
  readonly held: Map<string, Held>;
  /** Keys met since the SNAPSHOT of a partition began. */
  readonly #met = new Map<number, Set<string>>();
  readonly #topic: number;
  #stream: number;
  readonly #hash: (key: string) => bigint;
  /** The highest sequence told of each key. */
  readonly #told = new Map<string, number>();
  isDone = false;

  constructor(options: {
    topic: number;
    stream: number;
    held?: Iterable<[string, Held]>;
    hash: (key: string) => bigint;
  }) {
    this.#topic = options.topic;
    this.#stream = options.stream;
    this.held = new Map(options.held ?? []);
    this.#hash = options.hash;
  }

  /** The catch-up begins anew as this stream; what comes of the earlier one is not known any more. */
  follow(stream: number): void {
    this.#stream = stream;
  }

  take(said: Said): void {
    if (said.kind === 'event') {
      if (said.topics.includes(this.#topic)) this.#apply(said.event);
      return;
    }
    if (said.kind !== 'slice' || said.stream !== this.#stream) return;
    for (const { partition, kind, begins, ends, events, forgotten } of said.slices) {
      if (kind !== SliceKind.CHANGES && begins) this.#met.set(partition, new Set());
      for (const event of events) this.#apply(event);
      for (const hash of forgotten) this.#forget(hash);
      if (kind !== SliceKind.CHANGES && ends) this.#replace(partition);
    }
    if (said.flags !== 0) this.isDone = true;
  }

  #apply({ kind, key, sequence, value, expiresAtMs, partition }: Event): void {
    const told = this.#told.get(key) ?? 0;
    if (Number(sequence) < told) throw new Error(`${key}: ${sequence} after ${told}`);
    this.#told.set(key, Number(sequence));
    this.#met.get(partition)?.add(key);
    if (kind === EventKind.REMOVE || kind === EventKind.LEAVE) this.held.delete(key);
    else {
      const expiresAt = Number(expiresAtMs);
      const text = Buffer.from(value).toString();
      this.held.set(key, { sequence: Number(sequence), value: text, expiresAt });
    }
  }

  #forget(hash: bigint): void {
    for (const key of [...this.held.keys()]) if (this.#hash(key) === hash) this.held.delete(key);
  }

  #replace(partition: number): void {
    const met = this.#met.get(partition);
    if (met === undefined) throw new Error(`the snapshot of ${partition} ends before it begins`);
    for (const key of [...this.held.keys()])
      if (partitionOfKey(key) === partition && !met.has(key)) this.held.delete(key);
    this.#met.delete(partition);
  }
}
