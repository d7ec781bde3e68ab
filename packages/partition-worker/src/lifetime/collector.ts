import {
  ARENA_PRESSURE_DIVISOR,
  TOMBSTONE_HORIZON_MS,
  TOMBSTONE_PASS_INTERVAL_MS,
} from '@tidewire/core';
import {
  type CollectionMark,
  type Doorbell,
  loadWatermark,
  loadWord,
  RecordLayout,
  readCollectionMarks,
  storeWord,
  WorkerControl,
  writeCollectionMarks,
} from '@tidewire/core/threads';
import { type RecordStore, SCAN_END } from '../store/record-store.js';
import { covers, isAbove, raised } from './collection-rule.js';
import { SequenceAge } from './sequence-age.js';

/** Records met between two ticks: a hundredth of the time at most, and more where it is needed. */
const VISITS_A_TICK = 4096;
const VISITS_A_TICK_PRESSED = 32_768;
/** Records met in one turn, at the end of a segment: some 50 µs, and as much for each forgotten. */
const VISITS_A_TURN = 256;
const PASS_INTERVAL_MS_PRESSED = 1000;
/** Under pressure each pass takes tombstones this much younger than the one before. */
const PRESSED_DIVISOR = 4;
const HORIZON_MS_MIN = 1000;

type State =
  | { readonly kind: 'IDLE' }
  /** Raises #marks to the tombstones that may go. */
  | { readonly kind: 'LOOKING'; partition: number; cursor: number }
  /** Until the database knows #marks. */
  | { readonly kind: 'WAITING' }
  | { readonly kind: 'FORGETTING'; readonly marks: readonly CollectionMark[]; cursor: number };

/**
 * Forgets tombstones, pass after pass over all partitions: looks for those that are old enough and in the
 * database, has the database know what is collected (see collection-mark.ts), and only then forgets. So
 * whatever dies in between, a write that a forgotten tombstone would have refused is still told.
 *
 * Old enough: stamped the horizon ago, and made that long ago too (a client's late removal, and the end of
 * a long lifetime, bear old stamps: collected at once they would cost every subscriber a
 * snapshot). Where memory runs short the horizon shrinks from pass to pass and only the stamp counts.
 */
export class Collector {
  readonly #store: RecordStore;
  readonly #control: Int32Array;
  readonly #partitions: readonly number[];
  readonly #persistence: Doorbell;
  readonly #hasStore: boolean;
  readonly #ages: SequenceAge;
  readonly #marks: Map<number, CollectionMark> = new Map();
  readonly #found: number[] = [];
  #state: State = { kind: 'IDLE' };
  #nowMs = 0;
  #begunMs: number = Number.NEGATIVE_INFINITY;
  #visitsLeft = 0;
  #visits = 0;
  #isPressed = false;
  #horizonMs = TOMBSTONE_HORIZON_MS;
  /** Of the partition that is looked through. */
  #collected: CollectionMark = { partition: 0, sequence: 0, ms: 0, counter: 0, node: 0 };
  #flushed = 0;

  constructor(options: {
    store: RecordStore;
    control: Int32Array;
    partitions: readonly number[];
    persistence: Doorbell;
  }) {
    this.#store = options.store;
    this.#control = options.control;
    this.#partitions = options.partitions;
    this.#persistence = options.persistence;
    this.#hasStore = loadWord(options.control, WorkerControl.NO_STORE) === 0;
    this.#ages = new SequenceAge(options.store, options.partitions, TOMBSTONE_HORIZON_MS);
    this.#resume();
  }

  onTick(nowMs: number): void {
    this.#nowMs = nowMs;
    this.#ages.onTick(nowMs);
    this.#isPressed =
      this.#store.bytesUsed * ARENA_PRESSURE_DIVISOR >
      this.#store.bytesTotal * (ARENA_PRESSURE_DIVISOR - 1);
    this.#visitsLeft = this.#isPressed ? VISITS_A_TICK_PRESSED : VISITS_A_TICK;
    const intervalMs = this.#isPressed ? PASS_INTERVAL_MS_PRESSED : TOMBSTONE_PASS_INTERVAL_MS;
    if (this.#state.kind === 'IDLE' && nowMs >= this.#begunMs + intervalMs) this.#begin();
  }

  hasWork(): boolean {
    const { kind } = this.#state;
    if (kind === 'WAITING') return this.#isCommitted();
    return kind !== 'IDLE' && this.#visitsLeft > 0;
  }

  /** One bounded turn. Returns the work done. */
  doWork(): number {
    if (!this.hasWork()) return 0;
    if (this.#state.kind === 'WAITING') this.#onCommitted();
    this.#visits = 0;
    while (this.#visits < VISITS_A_TURN && this.#step());
    this.#visitsLeft -= this.#visits;
    return 1;
  }

  /** Goes through one segment; false if there is none to go through. */
  #step(): boolean {
    const state = this.#state;
    if (state.kind === 'LOOKING') this.#look(state);
    else if (state.kind === 'FORGETTING') this.#forget(state);
    else return false;
    return true;
  }

  /**
   * Goes on with what an earlier worker has proposed. Tombstones that it did not get to forget are found
   * again by a pass.
   */
  #resume(): void {
    if (loadWord(this.#control, WorkerControl.GC_COLLECTED) === this.#proposed()) return;
    for (const mark of readCollectionMarks(this.#control)) this.#marks.set(mark.partition, mark);
    if (this.#isCommitted()) this.#onCommitted();
    else this.#state = { kind: 'WAITING' };
  }

  #begin(): void {
    this.#marks.clear();
    this.#begunMs = this.#nowMs;
    this.#horizonMs = this.#isPressed ? this.#shorterHorizon() : TOMBSTONE_HORIZON_MS;
    this.#state = { kind: 'LOOKING', partition: 0, cursor: 0 };
  }

  #shorterHorizon(): number {
    const shorter = this.#horizonMs / PRESSED_DIVISOR;
    return shorter < HORIZON_MS_MIN ? 0 : shorter;
  }

  #look(state: State & { kind: 'LOOKING' }): void {
    const partition = this.#partitions[state.partition];
    this.#collected = this.#store.collected(partition);
    this.#flushed = this.#hasStore
      ? loadWatermark(this.#control, WorkerControl.flushedIndex(partition))
      : Number.POSITIVE_INFINITY;
    state.cursor = this.#store.scanSlice(partition, state.cursor, this.#consider);
    if (state.cursor < SCAN_END) return;
    state.cursor = 0;
    state.partition++;
    if (state.partition === this.#partitions.length) this.#propose();
  }

  readonly #consider: (record: number) => void = (record) => {
    const { words } = this.#store;
    this.#visits++;
    if (!RecordLayout.isTombstone(words, record)) return;
    if (!covers(this.#collected, words, record) && !this.#isOver(record)) return;
    const mark = this.#marks.get(this.#collected.partition) ?? this.#collected;
    this.#marks.set(mark.partition, raised(mark, words, record));
  };

  /** Whether the tombstone is in the database and old enough. */
  #isOver(record: number): boolean {
    const { words } = this.#store;
    const { partition } = this.#collected;
    const sequence = RecordLayout.sequenceOf(words, record);
    if (sequence > this.#flushed) return false;
    if (RecordLayout.stampMsOf(words, record) + this.#horizonMs > this.#nowMs) return false;
    return this.#isPressed || this.#ages.isOld(partition, sequence);
  }

  /** Proposes what the database does not know, if there is one. */
  #propose(): void {
    const news = [...this.#marks.values()].filter((mark) =>
      isAbove(mark, this.#store.collected(mark.partition)),
    );
    if (news.length === 0 || !this.#hasStore) {
      for (const mark of news) this.#store.raiseCollected(mark);
      this.#startForgetting();
      return;
    }
    writeCollectionMarks(this.#control, news);
    storeWord(this.#control, WorkerControl.GC_PROPOSED, (this.#proposed() + 1) | 0);
    this.#persistence.ring();
    this.#state = { kind: 'WAITING' };
  }

  /** First what is collected, then the forgetting: a death in between begins here again. */
  #onCommitted(): void {
    for (const mark of readCollectionMarks(this.#control)) this.#store.raiseCollected(mark);
    storeWord(this.#control, WorkerControl.GC_COLLECTED, this.#proposed());
    this.#startForgetting();
  }

  #startForgetting(): void {
    const marks = [...this.#marks.keys()].map((partition) => this.#store.collected(partition));
    this.#state = marks.length > 0 ? { kind: 'FORGETTING', marks, cursor: 0 } : { kind: 'IDLE' };
  }

  #forget(state: State & { kind: 'FORGETTING' }): void {
    const [mark, ...others] = state.marks;
    const { words } = this.#store;
    this.#found.length = 0;
    state.cursor = this.#store.scanSlice(mark.partition, state.cursor, (record) => {
      this.#visits++;
      if (covers(mark, words, record)) this.#found.push(record);
    });
    for (const record of this.#found) this.#store.remove(this.#store.findAgain(record));
    if (state.cursor < SCAN_END) return;
    if (others.length === 0) this.#state = { kind: 'IDLE' };
    else this.#state = { kind: 'FORGETTING', marks: others, cursor: 0 };
  }

  #isCommitted(): boolean {
    return loadWord(this.#control, WorkerControl.GC_COMMITTED) === this.#proposed();
  }

  #proposed(): number {
    return this.#control[WorkerControl.GC_PROPOSED];
  }
}
