import { QUERIES_BYTES_MAX } from '@tidewire/core';
import {
  CatchUpRequest,
  RecordLayout,
  STREAM_OVERLOADED,
  STREAM_TOO_LARGE,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import type { Outbound } from '../outbound.js';
import type { RecordStore } from '../store/record-store.js';
import type { TurnTime } from '../turn-time.js';
import { CatchUpEntries } from './catch-up-entries.js';
import { CatchUpStream } from './catch-up-stream.js';
import { KeyStream } from './key-stream.js';
import { readQueryPlan } from './query-plan.js';
import { RecordQuery } from './record-query.js';
import { RowsDraft } from './rows-draft.js';
import { SliceDraft } from './slice-draft.js';
import type { Stream } from './stream.js';
import type { SubscriptionIndex } from './subscription-index.js';

/**
 * The streams that run in this worker. Each turn serves one that may send, by one bounded step, all in
 * turn. They are forgotten when the worker dies: the gateway begins them anew.
 */
export class Streams {
  readonly #outbound: Outbound;
  readonly #interests: SubscriptionIndex;
  readonly #store: RecordStore;
  readonly #control: Int32Array;
  readonly #time: TurnTime;
  readonly #partitions: readonly number[];
  readonly #collectedUpTo: (partition: number) => number;
  readonly #draft: SliceDraft;
  readonly #rows: RowsDraft;
  readonly #running: Map<number, Stream> = new Map();
  /** Of those, with credit, in the order in which they are served. */
  readonly #ready: Set<Stream> = new Set();
  /** Bytes of the rows that all of them keep. */
  #heldBytes = 0;

  constructor(options: {
    outbound: Outbound;
    interests: SubscriptionIndex;
    store: RecordStore;
    control: Int32Array;
    time: TurnTime;
    partitions: readonly number[];
    collectedUpTo: (partition: number) => number;
  }) {
    this.#outbound = options.outbound;
    this.#interests = options.interests;
    this.#store = options.store;
    this.#control = options.control;
    this.#time = options.time;
    this.#partitions = options.partitions;
    this.#collectedUpTo = options.collectedUpTo;
    this.#draft = new SliceDraft(options.outbound, options.store.words);
    this.#rows = new RowsDraft(options.outbound, options.store.words);
    this.#report();
  }

  hasWork(): boolean {
    return this.#ready.size > 0 && this.#outbound.hasRoomForSlice();
  }

  /** One step of one stream. Returns 0 if none may send, or there is no room. */
  doWork(): number {
    if (!this.hasWork()) return 0;
    const [stream] = this.#ready;
    this.#ready.delete(stream);
    this.#time.begin();
    const isEnded = this.#step(stream);
    this.#outbound.commit();
    this.#outbound.ring();
    if (isEnded) this.cancel(stream.id);
    else if (stream.credit > 0) this.#ready.add(stream);
    return 1;
  }

  /** True if the stream has ended: the one that grows ends if all keep too much together. */
  #step(stream: Stream): boolean {
    const { heldBytes } = stream;
    const isEnded = stream.step();
    const grown = stream.heldBytes - heldBytes;
    this.#heldBytes += grown;
    if (isEnded || grown <= 0 || this.#heldBytes <= QUERIES_BYTES_MAX) return isEnded;
    const flags = STREAM_TOO_LARGE | STREAM_OVERLOADED;
    this.#rows.open(0);
    this.#rows.say({ stream: stream.id, flags, count: 0 });
    return true;
  }

  /** Begins what a CATCH_UP record asks for. */
  catchUp(words: Int32Array, at: number): void {
    const id = words[at + CatchUpRequest.STREAM];
    const topic = this.#interests.get(words[at + CatchUpRequest.TOPIC]);
    if (topic === undefined) return; // asked of a worker that died, and cancelled since
    const options = {
      id,
      entries: new CatchUpEntries(words, at, this.#partitions),
      credit: words[at + CatchUpRequest.CREDIT],
      nowMs: RecordLayout.joinWords(
        words[at + CatchUpRequest.NOW_LOW],
        words[at + CatchUpRequest.NOW_HIGH],
      ),
      salt: saltOf(words, at),
      store: this.#store,
      draft: this.#draft,
      time: this.#time,
    };
    if (topic.kind === 'key') this.#begin(new KeyStream({ ...options, topic }));
    else this.#begin(new CatchUpStream({ ...options, topic, collectedUpTo: this.#collectedUpTo }));
  }

  /** Begins what a QUERY record asks for. */
  query(words: Int32Array, at: number): void {
    this.#begin(
      new RecordQuery(readQueryPlan(words, at), {
        store: this.#store,
        draft: this.#rows,
        time: this.#time,
        partitions: this.#partitions,
      }),
    );
  }

  /** The stream may send more; one that has ended is unknown. */
  addCredit(id: number, bytes: number): void {
    const stream = this.#running.get(id);
    if (stream === undefined) return;
    stream.credit += bytes;
    if (stream.credit > 0) this.#ready.add(stream);
  }

  /** Ends the stream, if it runs. */
  cancel(id: number): void {
    const stream = this.#running.get(id);
    if (stream === undefined) return;
    this.#running.delete(id);
    this.#heldBytes -= stream.heldBytes;
    this.#ready.delete(stream);
    this.#report();
  }

  #begin(stream: Stream): void {
    this.#running.set(stream.id, stream);
    if (stream.credit > 0) this.#ready.add(stream);
    this.#report();
  }

  #report(): void {
    storeWord(this.#control, WorkerControl.STREAMS, this.#running.size);
  }
}

function saltOf(words: Int32Array, at: number): Uint8Array {
  const salt = words.slice(at + CatchUpRequest.SALT, at + CatchUpRequest.CREDIT);
  return new Uint8Array(salt.buffer);
}
