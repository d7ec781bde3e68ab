import { assert, FLUSH_INTERVAL_MS, FLUSH_RECORDS, partitionOf, unreachable } from '@tidewire/core';
import {
  BatchEnd,
  BatchKind,
  Doorbell,
  loadWatermark,
  loadWord,
  type MapTable,
  RecordLayout,
  RingConsumer,
  storeWatermark,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { Batch } from './batch.js';
import { type End, readEnd } from './batch-end.js';
import { type Backlog, backoffMs, batchRecords, HALVINGS_MAX, isDue } from './flush-window.js';
import { ImageReader } from './record-image.js';
import { type StoredRecord, StoreError } from './store.js';

/** Ring records taken in one turn. */
const TURN_RECORDS = 512;
/** Added to CHANGES, a number that it does not reach while a flush is under way. */
const FAR_AWAY = 0x4000_0000;
const NONE: Backlog = { dirty: 0, lane: 0, sinceMs: Number.POSITIVE_INFINITY };

/** What the pulls of all workers share. */
interface PullContext {
  /** Called when a flush has settled, from outside a turn. */
  wake(): void;
  random(): number;
  /** Told of every outcome, in the turn that observes it. */
  onOutcome(error: StoreError | undefined): void;
}

type State =
  | { readonly kind: 'IDLE' }
  /** The worker is answering; records gather in the batch. */
  | { readonly kind: 'PULLING' }
  | {
      readonly kind: 'FLUSHING';
      /** What a commit completes. */
      readonly end: End;
      readonly changesHanded: number;
      outcome: 'COMMITTED' | StoreError | undefined;
    }
  | { readonly kind: 'BACKOFF'; readonly untilMs: number }
  | { readonly kind: 'FENCED' };

/**
 * Write-behind of one worker, owned by the persistence thread: asks for a batch, flushes it, and on
 * the commit moves the watermarks `flushed` and LANE_FLUSHED.
 *
 *     IDLE → PULLING → FLUSHING → IDLE, or after a failure → BACKOFF → IDLE
 *
 * Invariant: a watermark moves only by the END of the running pull under the running attempt, after
 * its records have been committed; and none falls. A failure raises ATTEMPT, which makes the worker hand over again
 * whatever is not flushed; an END of another pull or attempt completes nothing.
 */
export class WorkerPull {
  readonly #control: Int32Array;
  readonly #worker: Doorbell;
  readonly #gateway: Doorbell;
  readonly #ring: RingConsumer;
  readonly #images: ImageReader;
  readonly #context: PullContext;
  readonly #flushRecords: (records: StoredRecord[]) => Promise<void>;
  readonly #batch: Batch = new Batch();
  #state: State = { kind: 'IDLE' };
  #backlog: Backlog = NONE;
  #pull: number;
  #attempt: number;
  #laneFlushed: number;
  #changesFlushed: number;
  #wakeAt: number;
  /** The worker may have more than its counters say: at the start, and after a failure or MORE. */
  #mustPull = true;
  #failures = 0;
  #halvings = 0;
  #draining = false;

  constructor(options: {
    memory: WorkerMemory;
    maps: MapTable;
    gateway: Doorbell;
    context: PullContext;
    /** Starts a flush; settles with what became of it. */
    flush: (records: StoredRecord[]) => Promise<void>;
  }) {
    this.#control = new Int32Array(options.memory.control);
    this.#worker = new Doorbell(this.#control, WorkerControl.WORKER_DOORBELL);
    this.#gateway = options.gateway;
    this.#ring = new RingConsumer(options.memory.batchRing);
    this.#images = new ImageReader(options.memory.batchRing, options.maps);
    this.#context = options.context;
    this.#flushRecords = options.flush;
    this.#pull = loadWord(this.#control, WorkerControl.PULL_REQUESTED);
    this.#attempt = loadWord(this.#control, WorkerControl.ATTEMPT);
    this.#laneFlushed = loadWord(this.#control, WorkerControl.LANE_FLUSHED);
    this.#changesFlushed = loadWord(this.#control, WorkerControl.CHANGES_FLUSHED);
    this.#wakeAt = loadWord(this.#control, WorkerControl.WAKE_AT_CHANGES);
    this.#raiseAttempt(); // whatever an earlier thread had under way is handed over again
  }

  /** Nothing is under way that will say how the store is. */
  get isIdle(): boolean {
    return this.#state.kind === 'IDLE' && !this.#mustPull;
  }

  /** Changes that are in memory alone. */
  get unflushed(): number {
    return Math.max(0, (this.#load(WorkerControl.CHANGES) - this.#changesFlushed) | 0);
  }

  /** True if everything is in the store. */
  get isClean(): boolean {
    return this.isIdle && this.unflushed === 0 && this.#laneLength() === 0;
  }

  /** From now on flush without waiting for the window. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#mustPull = true; // an answer can be visible before the counters of its turn are
  }

  /** One bounded turn. Returns the work done. */
  doWork(nowMs: number): number {
    const work = this.#takeRecords();
    const state = this.#state;
    switch (state.kind) {
      case 'IDLE':
        return work + this.#maybePull(nowMs);
      case 'FLUSHING':
        return work + this.#settle(state, nowMs);
      case 'BACKOFF':
        if (nowMs < state.untilMs) return work;
        this.#state = { kind: 'IDLE' };
        return work + this.#maybePull(nowMs);
      case 'PULLING':
      case 'FENCED':
        return work;
      default:
        return unreachable(state);
    }
  }

  /** True if a turn would find something, time apart. */
  hasWork(): boolean {
    if (!this.#ring.isEmpty()) return true;
    if (this.#state.kind === 'FLUSHING') return this.#state.outcome !== undefined;
    if (this.#state.kind !== 'IDLE') return false;
    const isAwaited = ((this.#load(WorkerControl.CHANGES) - this.#wakeAt) | 0) >= 0;
    return this.#mustPull || isAwaited || this.#laneLength() > 0;
  }

  /** The time at which a turn is due even if nothing happens. */
  dueAtMs(): number {
    if (this.#state.kind === 'BACKOFF') return this.#state.untilMs;
    if (this.#state.kind === 'IDLE') return this.#backlog.sinceMs + FLUSH_INTERVAL_MS;
    return Number.POSITIVE_INFINITY;
  }

  #maybePull(nowMs: number): number {
    const handed = this.#load(WorkerControl.CHANGES_HANDED);
    const dirty = Math.max(0, (this.#load(WorkerControl.CHANGES) - handed) | 0);
    const lane = this.#laneLength();
    if (dirty === 0 && lane === 0 && !this.#mustPull && !this.#mustDrain()) {
      this.#backlog = NONE;
      this.#wakeAtChanges(handed + 1);
      return 0;
    }
    this.#backlog = { dirty, lane, sinceMs: Math.min(this.#backlog.sinceMs, nowMs) };
    if (this.#mustPull || this.#draining || isDue(this.#backlog, nowMs)) return this.#request();
    this.#wakeAtChanges(handed + FLUSH_RECORDS);
    return 0;
  }

  #mustDrain(): boolean {
    return this.#draining && this.unflushed > 0;
  }

  #request(): number {
    this.#wakeAtChanges(this.#load(WorkerControl.CHANGES) + FAR_AWAY);
    this.#pull = (this.#pull + 1) | 0;
    this.#batch.clear();
    storeWord(
      this.#control,
      WorkerControl.PULL_RECORDS,
      batchRecords(this.#backlog, this.#halvings),
    );
    storeWord(this.#control, WorkerControl.PULL_REQUESTED, this.#pull);
    this.#worker.ring();
    this.#backlog = NONE;
    this.#mustPull = false;
    this.#state = { kind: 'PULLING' };
    return 1;
  }

  #takeRecords(): number {
    let count = 0;
    while (count < TURN_RECORDS && this.#ring.next()) {
      if (this.#ring.kind === BatchKind.END) this.#onEnd(this.#ring.words, this.#ring.index);
      else this.#onRecord(this.#ring.words, this.#ring.index);
      count++;
    }
    if (count === 0) return 0;
    this.#ring.release();
    this.#worker.ring(); // it may wait for room
    return count;
  }

  #onRecord(words: Int32Array, at: number): void {
    if (this.#state.kind !== 'PULLING') return; // the rest of an abandoned answer
    const partition = partitionOf(words[at + RecordLayout.HASH]);
    this.#batch.add(this.#images.read(at, partition));
  }

  #onEnd(words: Int32Array, at: number): void {
    // An END that completes nothing: the worker counts its records as handed over, so it must
    // forget that. It comes from a worker that died behind its END and left the pull to the next.
    if (this.#state.kind !== 'PULLING' || words[at + BatchEnd.PULL] !== this.#pull) {
      this.#raiseAttempt();
      return;
    }
    if (words[at + BatchEnd.ATTEMPT] !== this.#attempt) {
      this.#raiseAttempt();
      this.#state = { kind: 'IDLE' };
      return;
    }
    const changesHanded = this.#load(WorkerControl.CHANGES_HANDED);
    this.#flush(readEnd(words, at), changesHanded);
  }

  #flush(end: End, changesHanded: number): void {
    const state: State = { kind: 'FLUSHING', end, changesHanded, outcome: undefined };
    this.#state = state;
    this.#flushRecords(this.#batch.take()).then(
      () => {
        state.outcome = 'COMMITTED';
        this.#context.wake();
      },
      (error: unknown) => {
        if (!(error instanceof StoreError)) throw error; // a bug: the thread ends
        state.outcome = error;
        this.#context.wake();
      },
    );
  }

  #settle(state: State & { kind: 'FLUSHING' }, nowMs: number): number {
    if (state.outcome === undefined) return 0;
    if (state.outcome === 'COMMITTED') {
      this.#commit(state.end);
      this.#changesFlushed = state.changesHanded;
      storeWord(this.#control, WorkerControl.CHANGES_FLUSHED, state.changesHanded);
      this.#context.onOutcome(undefined);
      return 1;
    }
    const isFenced = state.outcome.kind === 'FENCED';
    if (isFenced) this.#state = { kind: 'FENCED' };
    else this.#backOff(nowMs);
    this.#context.onOutcome(state.outcome);
    return 1;
  }

  #commit(end: End): void {
    for (const { partition, sequence } of end.marks) {
      const index = WorkerControl.flushedIndex(partition);
      assert(sequence >= loadWatermark(this.#control, index), 'a watermark never falls');
      storeWatermark(this.#control, index, sequence);
    }
    if (((end.laneHanded - this.#laneFlushed) | 0) > 0) {
      this.#laneFlushed = end.laneHanded;
      storeWord(this.#control, WorkerControl.LANE_FLUSHED, end.laneHanded);
    }
    this.#gateway.ring();
    this.#mustPull ||= end.more;
    this.#failures = 0;
    this.#halvings = Math.max(0, this.#halvings - 1);
    this.#state = { kind: 'IDLE' };
  }

  #backOff(nowMs: number): void {
    this.#raiseAttempt();
    this.#failures++;
    this.#halvings = Math.min(this.#halvings + 1, HALVINGS_MAX);
    const untilMs = nowMs + backoffMs(this.#failures, this.#context.random());
    this.#state = { kind: 'BACKOFF', untilMs };
  }

  /** Abandons what was handed over; the next pull asks for it again. */
  #raiseAttempt(): void {
    this.#batch.clear();
    this.#attempt = (this.#attempt + 1) | 0;
    this.#mustPull = true;
    storeWord(this.#control, WorkerControl.ATTEMPT, this.#attempt);
  }

  #laneLength(): number {
    return (this.#load(WorkerControl.LANE_TAIL) - this.#laneFlushed) | 0;
  }

  #wakeAtChanges(changes: number): void {
    if (this.#wakeAt === (changes | 0)) return;
    this.#wakeAt = changes | 0;
    storeWord(this.#control, WorkerControl.WAKE_AT_CHANGES, this.#wakeAt);
  }

  #load(index: number): number {
    return loadWord(this.#control, index);
  }
}
