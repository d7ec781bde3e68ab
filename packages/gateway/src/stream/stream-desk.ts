import {
  assert,
  SESSION_DRAINED_BYTES,
  SESSION_STREAMS_MAX,
  STREAMING_SESSIONS_MAX,
} from '@tidewire/core';
import {
  type ControlRecord,
  cancelRecord,
  creditRecord,
  type WorkerRequests,
} from '@tidewire/partition-worker/front';
import type { Session } from '../session/session.js';

const LOOKS_A_TURN = 256;

/** What a worker sends on request, within credit. */
export interface WorkerStream {
  readonly worker: number;
  /** Names it in ring records while it runs; another one after its worker's death. */
  number: number;
  /** Bytes that have come and for which no credit was given back. */
  owed: number;
}

/** Streams that take one place of their session together: all run, or none. */
export interface Delivery {
  readonly session: Session;
  /** Those that have not ended. */
  readonly streams: Set<WorkerStream>;
  /** What a stream of it is begun with. */
  request(stream: WorkerStream): ControlRecord;
  /** A record of a stream of it has come. */
  onRecord(stream: WorkerStream, words: Int32Array, wordBytes: Uint8Array, at: number): void;
  /** The worker has died; true: begin the stream anew. Else the delivery has been cancelled. */
  onLost(stream: WorkerStream): boolean;
}

/** Places of one session. */
interface Places {
  readonly running: Set<Delivery>;
  readonly waiting: Set<Delivery>; // in the order of their coming
}

/**
 * Lets workers send at length what a connection has asked for, no faster than the connection takes
 * it: a session has few places, what is beyond waits, and so does the credit of a connection that
 * does not read. So the longest answer stalls nobody.
 */
export class StreamDesk {
  readonly #requests: WorkerRequests;
  readonly #nextNumber: () => number;
  readonly #places: Map<Session, Places> = new Map();
  readonly #running: Map<number, { readonly stream: WorkerStream; readonly delivery: Delivery }> =
    new Map();
  /** Something waits for a place. */
  readonly #ready: Set<Session> = new Set();
  /** Something runs, and the connection takes it. */
  readonly #active: Set<Session> = new Set();
  /** The connection does not take what was sent. */
  readonly #parked: Set<Session> = new Set();

  constructor(options: { requests: WorkerRequests; nextNumber: () => number }) {
    this.#requests = options.requests;
    this.#nextNumber = options.nextNumber;
  }

  /** Sessions that have something running or waiting. */
  get sessions(): number {
    return this.#places.size;
  }

  /** A connection is to be looked at, whether it has read. */
  get isWatching(): boolean {
    return this.#parked.size > 0;
  }

  /** Runs once there is a place. */
  begin(delivery: Delivery): void {
    const { session } = delivery;
    const places = this.#places.get(session) ?? { running: new Set(), waiting: new Set() };
    this.#places.set(session, places);
    places.waiting.add(delivery);
    this.#ready.add(session);
  }

  /** Ends a delivery that is not wanted any more, running or not. */
  cancel(delivery: Delivery): void {
    const places = this.#placesOf(delivery.session);
    if (places.running.has(delivery))
      for (const stream of delivery.streams) {
        this.#running.delete(stream.number);
        this.#requests.send(stream.worker, cancelRecord(stream.number));
      }
    this.#leave(delivery, places);
  }

  /** Takes a SLICE or ROWS record; one of a number that is not known any more is dropped. */
  onRecord(words: Int32Array, wordBytes: Uint8Array, at: number): void {
    const known = this.#running.get(words[at]);
    known?.delivery.onRecord(known.stream, words, wordBytes, at);
  }

  /** `bytes` of the stream have been passed on: they may come again as credit. */
  took(delivery: Delivery, stream: WorkerStream, bytes: number): void {
    stream.owed += bytes;
    if (isDrained(delivery.session) && !this.#requests.isFull) this.#giveCredit(stream);
    else this.#park(delivery.session);
  }

  /** The worker has ended the stream. */
  end(delivery: Delivery, stream: WorkerStream): void {
    this.#running.delete(stream.number);
    delivery.streams.delete(stream);
    if (delivery.streams.size === 0) this.#leave(delivery, this.#placesOf(delivery.session));
  }

  /** A worker starts anew: it has forgotten its streams. */
  onWorkerStart(worker: number): void {
    for (const { stream, delivery } of [...this.#running.values()]) {
      if (stream.worker !== worker || !this.#running.delete(stream.number)) continue;
      // The request of the old number may still lie in the ring.
      this.#requests.send(worker, cancelRecord(stream.number));
      if (delivery.onLost(stream)) this.#open(delivery, stream);
    }
  }

  /** Lets go on what the connections have room for. Returns how much. */
  doWork(): number {
    return this.#unpark() + this.#startReady();
  }

  #startReady(): number {
    let started = 0;
    for (const session of this.#ready) {
      if (this.#requests.isFull) break;
      if (this.#active.size >= STREAMING_SESSIONS_MAX && !this.#active.has(session)) break;
      this.#ready.delete(session);
      if (isDrained(session)) started += this.#start(session);
      else this.#park(session);
    }
    return started;
  }

  #start(session: Session): number {
    const { running, waiting } = this.#placesOf(session);
    let started = 0;
    for (const delivery of waiting) {
      if (running.size >= SESSION_STREAMS_MAX) break;
      waiting.delete(delivery);
      running.add(delivery);
      for (const stream of delivery.streams) this.#open(delivery, stream);
      started++;
    }
    this.#active.add(session);
    return started;
  }

  #open(delivery: Delivery, stream: WorkerStream): void {
    stream.number = this.#nextNumber();
    stream.owed = 0;
    this.#running.set(stream.number, { stream, delivery });
    this.#requests.send(stream.worker, delivery.request(stream));
  }

  #park(session: Session): void {
    this.#active.delete(session);
    this.#parked.add(session);
  }

  /** Looks at some of the connections that had not read, or for whom the workers had no time. */
  #unpark(): number {
    if (this.#requests.isFull) return 0;
    let left = Math.min(this.#parked.size, LOOKS_A_TURN);
    let given = 0;
    for (const session of this.#parked) {
      if (left-- === 0) break;
      this.#parked.delete(session);
      if (isDrained(session)) given += this.#resume(session);
      else this.#parked.add(session); // looked at again after all others
    }
    return given;
  }

  #resume(session: Session): number {
    const { running } = this.#placesOf(session);
    this.#ready.add(session);
    if (running.size > 0) this.#active.add(session);
    let given = 1;
    for (const { streams } of running)
      for (const stream of streams) given += this.#giveCredit(stream);
    return given;
  }

  #giveCredit(stream: WorkerStream): number {
    if (stream.owed === 0) return 0;
    this.#requests.send(stream.worker, creditRecord(stream.number, stream.owed));
    stream.owed = 0;
    return 1;
  }

  #leave(delivery: Delivery, { running, waiting }: Places): void {
    const { session } = delivery;
    running.delete(delivery);
    waiting.delete(delivery);
    if (waiting.size > 0) this.#ready.add(session);
    if (running.size > 0) return;
    this.#active.delete(session);
    if (waiting.size > 0) return;
    this.#ready.delete(session);
    this.#parked.delete(session);
    this.#places.delete(session);
  }

  #placesOf(session: Session): Places {
    const places = this.#places.get(session);
    assert(places !== undefined, 'a delivery has its place until it ends');
    return places;
  }
}

function isDrained(session: Session): boolean {
  return session.connection.bufferedBytes() <= SESSION_DRAINED_BYTES;
}
