import { CONFLATED_BYTES_MAX, CONFLATED_TOPIC_BYTES_MAX } from '@tidewire/core';
import type { EventKind } from '@tidewire/schemas';
import { FrameBuffer } from '../frame-buffer.js';
import { Beat } from '../session/beat.js';
import type { Session } from '../session/session.js';
import { keyOf, kindOffset } from './event-entry.js';
import { Feed } from './feed.js';
import { mergedKind } from './merged-kind.js';
import type { Topic } from './topic.js';

/** The latest event of one key, as an entry of Events. */
interface Held {
  readonly first: EventKind;
  readonly entry: Uint8Array;
}

/** What subscribers of one topic hear at most so often. */
export class ConflatedFeed extends Feed {
  readonly topic: Topic;
  readonly perSecond: number;
  /** Subscriptions that use it, joined or not. */
  users = 0;
  /** By key, in the order of the last change. */
  readonly held: Map<string, Held> = new Map();
  heldBytes = 0;

  constructor(id: number, topic: Topic, perSecond: number) {
    super(id);
    this.topic = topic;
    this.perSecond = perSecond;
  }
}

/** Feeds of one rate: all publish in the same turn. */
interface Rate {
  readonly beat: Beat;
  readonly feeds: Set<ConflatedFeed>;
}

/** Holds the latest event of each key back for those who want to hear at most so often. */
export class Conflation {
  readonly #nextId: () => number;
  readonly #publish: (feed: Feed, buffer: FrameBuffer) => void;
  readonly #rates: Map<number, Rate> = new Map();
  readonly #buffer: FrameBuffer = new FrameBuffer();
  #heldBytes = 0;
  /** Events that another of the same key has replaced. */
  replaced = 0;

  constructor(options: {
    nextId: () => number;
    publish: (feed: Feed, buffer: FrameBuffer) => void;
  }) {
    this.#nextId = options.nextId;
    this.#publish = options.publish;
  }

  /** Feeds in use. */
  get feeds(): number {
    let count = 0;
    for (const { feeds } of this.#rates.values()) count += feeds.size;
    return count;
  }

  /** The feed of the topic at this rate; `release` it once. */
  claim(topic: Topic, perSecond: number): ConflatedFeed {
    const feed = topic.conflated?.get(perSecond) ?? this.#open(topic, perSecond);
    feed.users++;
    return feed;
  }

  release(feed: ConflatedFeed): void {
    if (--feed.users > 0) return;
    const { topic } = feed;
    topic.conflated?.delete(feed.perSecond);
    if (topic.conflated?.size === 0) topic.conflated = undefined;
    const rate = this.#rates.get(feed.perSecond);
    rate?.feeds.delete(feed);
    if (rate?.feeds.size === 0) this.#rates.delete(feed.perSecond);
  }

  /**
   * A session leaves. What is held while nobody hears would grow old and come after newer states, so
   * nothing is.
   */
  leave(feed: ConflatedFeed, session: Session): void {
    feed.leave(session);
    if (feed.isHeard) return;
    feed.held.clear();
    this.#count(feed, -feed.heldBytes);
  }

  /** Takes an event of the topic of these feeds, an entry of Events. */
  hold(
    feeds: ReadonlyMap<number, ConflatedFeed>,
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    for (const feed of feeds.values())
      if (feed.isHeard) this.#hold(feed, bytes.slice(offset, offset + length));
  }

  /** Publishes the feeds that are due. Returns how many frames could have gone out. */
  publishDue(elapsedMs: number): number {
    let published = 0;
    for (const { beat, feeds } of this.#rates.values())
      if (beat.isDue(elapsedMs)) for (const feed of feeds) published += this.#publishFeed(feed);
    return published;
  }

  /** Publishes everything held, due or not. */
  publishAll(): void {
    for (const { feeds } of this.#rates.values()) for (const feed of feeds) this.#publishFeed(feed);
  }

  /** Milliseconds until something that is held is due. */
  msLeft(elapsedMs: number): number {
    if (this.#heldBytes === 0) return Number.POSITIVE_INFINITY;
    let left = Number.POSITIVE_INFINITY;
    for (const { beat } of this.#rates.values()) left = Math.min(left, beat.msLeft(elapsedMs));
    return left;
  }

  #open(topic: Topic, perSecond: number): ConflatedFeed {
    const feed = new ConflatedFeed(this.#nextId(), topic, perSecond);
    topic.conflated ??= new Map();
    topic.conflated.set(perSecond, feed);
    const rate = this.#rates.get(perSecond) ?? { beat: new Beat(perSecond), feeds: new Set() };
    this.#rates.set(perSecond, rate);
    rate.feeds.add(feed);
    return feed;
  }

  #hold(feed: ConflatedFeed, entry: Uint8Array): void {
    if (feed.heldBytes + entry.length > CONFLATED_TOPIC_BYTES_MAX) this.#publishFeed(feed);
    if (this.#heldBytes + entry.length > CONFLATED_BYTES_MAX) this.publishAll();
    // Publishing may have suspended whoever heard it: what is held then would outlive newer states.
    if (!feed.isHeard) return;
    const key = new TextDecoder('utf-8', { ignoreBOM: true }).decode(keyOf(entry, 0));
    const at = kindOffset(entry, 0);
    const known = feed.held.get(key);
    const first: EventKind = known?.first ?? entry[at];
    if (known !== undefined) this.#drop(feed, key, known);
    entry[at] = mergedKind(first, entry[at]);
    feed.held.set(key, { first, entry });
    this.#count(feed, entry.length);
  }

  /** Its successor takes its place at the end: order is that of the last changes. */
  #drop(feed: ConflatedFeed, key: string, { entry }: Held): void {
    this.replaced++;
    feed.held.delete(key);
    this.#count(feed, -entry.length);
  }

  #publishFeed(feed: ConflatedFeed): number {
    if (feed.held.size === 0) return 0;
    const held = [...feed.held.values()];
    feed.held.clear();
    this.#count(feed, -feed.heldBytes);
    for (const { entry } of held) {
      if (!this.#buffer.hasRoom(entry.length)) this.#send(feed);
      this.#buffer.append(entry, 0, entry.length);
    }
    this.#send(feed);
    return 1;
  }

  #send(feed: ConflatedFeed): void {
    this.#publish(feed, this.#buffer);
    this.#buffer.clear();
  }

  #count(feed: ConflatedFeed, bytes: number): void {
    feed.heldBytes += bytes;
    this.#heldBytes += bytes;
  }
}
