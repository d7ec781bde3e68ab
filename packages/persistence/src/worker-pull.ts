import { FLUSH_INTERVAL_MS, FLUSH_RECORDS } from '@tidewire/core';
import {
  type Doorbell,
  loadWord,
  type MapTable,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { BatchIntake, type Handed } from './batch-intake.js';
import { Flight } from './flight.js';
import type { FlushSlots } from './flush-slots.js';
import {
  type Backlog,
  backoffMs,
  batchRecords,
  HALVINGS_MAX,
  isDue,
  laneWanted,
} from './flush-window.js';
import { FlushedMarks } from './flushed-marks.js';
import type { StoredRecord, StoreError } from './store.js';

/** Batches of one worker on their way at once. */
const FLIGHTS_MAX = 2;
/** Added to CHANGES, a number that it does not reach while a flush is under way. */
const FAR_AWAY = 0x4000_0000;
const NONE: Backlog = { dirty: 0, sinceMs: Number.POSITIVE_INFINITY };

/** What the pulls of all workers share. */
interface PullContext {
  /** Called when a flush has settled, from outside a turn. */
  wake(): void;
  random(): number;
  /** Told of every outcome that counts, in the turn that observes it. */
  onOutcome(error: StoreError | undefined): void;
  readonly slots: FlushSlots;
}

/**
 * Write-behind of one worker, owned by the persistence thread: asks for batches, flushes them, and on
 * each commit moves the watermarks `flushed` and LANE_FLUSHED. While a batch is in the store the next
 * may follow it, if enough SAFE writes wait for one.
 *
 * Invariant: a watermark moves only by the END of a pull under the running attempt, after its records
 * and those of every batch before it have been committed; and none falls. A failure raises ATTEMPT, which
 * abandons what is on its way and makes the worker hand over again whatever is not flushed.
 */
export class WorkerPull {
  readonly #control: Int32Array;
  readonly #gateway: Doorbell;
  readonly #intake: BatchIntake;
  readonly #flushed: FlushedMarks;
  readonly #context: PullContext;
  readonly #flushRecords: (records: StoredRecord[]) => Promise<void>;
  /** On their way, oldest first. */
  readonly #flights: Flight[] = [];
  /** Of an attempt that has failed, and not settled: nothing is asked for meanwhile. */
  readonly #abandoned: Set<Flight> = new Set();
  #backlog: Backlog = NONE;
  /** Lane position behind what is flushed or on its way. */
  #laneHanded: number;
  #wakeAt: number;
  /** The worker may have more than its counters say: at the start, and after a failure or MORE. */
  #mustPull = true;
  /** After a failure. */
  #pausedUntilMs: number | undefined;
  /** Since when the pull that is out has a slot; undefined: it has none. */
  #slotSinceMs: number | undefined;
  #waitsForSlot = false;
  #failures = 0;
  #halvings = 0;
  #isFenced = false;
  #draining = false;

  constructor(options: {
    memory: WorkerMemory;
    maps: MapTable;
    gateway: Doorbell;
    context: PullContext;
    /** Starts a flush; settles with what became of it. */
    flush: (records: StoredRecord[]) => Promise<void>;
  }) {
    const { memory, maps } = options;
    this.#control = new Int32Array(memory.control);
    this.#gateway = options.gateway;
    this.#intake = new BatchIntake({ memory, maps, onRefused: () => this.#abandon() });
    this.#context = options.context;
    this.#flushRecords = options.flush;
    this.#flushed = new FlushedMarks(this.#control);
    this.#laneHanded = this.#flushed.lane;
    this.#wakeAt = loadWord(this.#control, WorkerControl.WAKE_AT_CHANGES);
    this.#abandon(); // whatever an earlier thread had under way is handed over again
  }

  /** Nothing is under way that will say how the store is. */
  get isIdle(): boolean {
    return !this.#mustPull && !this.#intake.isCalled && !this.#isFlying;
  }

  /** Changes that are in memory alone. */
  get unflushed(): number {
    return Math.max(0, (this.#load(WorkerControl.CHANGES) - this.#flushed.changes) | 0);
  }

  /** True if everything is in the store. */
  get isClean(): boolean {
    const lane = (this.#load(WorkerControl.LANE_TAIL) - this.#flushed.lane) | 0;
    return this.isIdle && this.unflushed === 0 && lane === 0;
  }

  /** From now on flush without waiting for the window. */
  drain(): void {
    if (this.#draining) return;
    this.#draining = true;
    this.#mustPull = true; // an answer can be visible before the counters of its turn are
  }

  /** One bounded turn. Returns the work done. */
  doWork(nowMs: number): number {
    const work = this.#intake.take(this.#onHanded) + this.#settle(nowMs);
    if (this.#isFenced || (this.#pausedUntilMs ?? nowMs) > nowMs) return work;
    this.#pausedUntilMs = undefined;
    if (this.#intake.isCalled) this.#lendSlot(nowMs);
    else if (this.#flights.length > 0) this.#followFlight();
    else if (this.#abandoned.size === 0) return work + this.#maybeCall(nowMs);
    return work;
  }

  /** True if a turn would find something, time apart. */
  hasWork(): boolean {
    if (this.#intake.hasWork || this.#hasSettled) return true;
    if (!this.#mayCall) return false;
    if (this.#waitsForSlot) return this.#context.slots.isTurnOf(this);
    return this.#mustPull || ((this.#load(WorkerControl.CHANGES) - this.#wakeAt) | 0) >= 0;
  }

  /** The time at which a turn is due even if nothing happens. */
  dueAtMs(): number {
    if (this.#pausedUntilMs !== undefined) return this.#pausedUntilMs;
    if (this.#slotSinceMs !== undefined) return this.#slotSinceMs + FLUSH_INTERVAL_MS;
    if (!this.#mayCall || this.#waitsForSlot) return Number.POSITIVE_INFINITY;
    return this.#backlog.sinceMs + FLUSH_INTERVAL_MS;
  }

  get #isFlying(): boolean {
    return this.#flights.length > 0 || this.#abandoned.size > 0;
  }

  get #hasSettled(): boolean {
    if (this.#flights[0]?.outcome !== undefined) return true;
    return [...this.#abandoned].some(({ outcome }) => outcome !== undefined);
  }

  get #mayCall(): boolean {
    if (this.#isFenced || this.#pausedUntilMs !== undefined) return false;
    return !this.#intake.isCalled && !this.#isFlying;
  }

  #maybeCall(nowMs: number): number {
    const handed = this.#load(WorkerControl.CHANGES_HANDED);
    const dirty = Math.max(0, (this.#load(WorkerControl.CHANGES) - handed) | 0);
    const mustCall = this.#mustPull || (this.#draining && this.unflushed > 0);
    if (dirty === 0 && !mustCall) {
      this.#backlog = NONE;
      this.#wakeAtChanges(handed + 1);
    } else {
      this.#backlog = { dirty, sinceMs: Math.min(this.#backlog.sinceMs, nowMs) };
      const isDueNow = mustCall || isDue(this.#backlog, nowMs);
      if (isDueNow && this.#takeSlot(nowMs)) return this.#call();
      this.#wakeAtChanges(isDueNow ? handed + FAR_AWAY : handed + FLUSH_RECORDS);
    }
    this.#leave(1);
    return 0;
  }

  #call(): number {
    this.#wakeAtChanges(this.#load(WorkerControl.CHANGES) + FAR_AWAY);
    this.#intake.call(batchRecords(this.#laneWaiting, this.#halvings));
    this.#backlog = NONE;
    this.#mustPull = false;
    return 1;
  }

  /** While a batch is on its way: a second one for SAFE writes, unless the store is in trouble. */
  #followFlight(): void {
    this.#wakeAtChanges(this.#load(WorkerControl.CHANGES) + FAR_AWAY);
    if (this.#flights.length < FLIGHTS_MAX && this.#failures === 0)
      this.#leave(laneWanted(this.#flights[0].lane));
  }

  #leave(lane: number): void {
    const records = batchRecords(Math.max(lane, this.#laneWaiting), this.#halvings);
    this.#intake.leave(records, lane, this.#laneHanded);
  }

  readonly #onHanded = ({ end, changesHanded, records }: Handed): void => {
    const lane = Math.max(0, (end.laneHanded - this.#laneHanded) | 0);
    this.#laneHanded = (this.#laneHanded + lane) | 0;
    const hasSlot = this.#slotSinceMs !== undefined;
    this.#slotSinceMs = undefined;
    this.#leaveSlots();
    const { wake } = this.#context;
    const flushed = this.#flushRecords(records);
    this.#flights.push(new Flight({ end, changesHanded, lane, hasSlot, flushed, wake }));
  };

  /** What of the batches on their way has an outcome, each behind those before it. */
  #settle(nowMs: number): number {
    let work = 0;
    for (const flight of this.#abandoned) {
      if (flight.outcome === undefined) continue;
      this.#abandoned.delete(flight);
      this.#land(flight);
      work++;
    }
    for (; this.#flights[0]?.outcome !== undefined; work++) this.#settleFirst(nowMs);
    return work;
  }

  #settleFirst(nowMs: number): void {
    const [flight] = this.#flights.splice(0, 1);
    this.#land(flight);
    if (flight.outcome === 'COMMITTED') {
      this.#commit(flight);
      this.#context.onOutcome(undefined);
    } else if (flight.outcome !== undefined) {
      this.#isFenced = flight.outcome.kind === 'FENCED';
      this.#backOff(nowMs);
      this.#context.onOutcome(flight.outcome);
    }
  }

  #land(flight: Flight): void {
    if (flight.hasSlot) this.#context.slots.giveBack();
  }

  #commit(flight: Flight): void {
    this.#flushed.raise(flight);
    this.#gateway.ring();
    this.#mustPull ||= flight.end.more;
    this.#failures = 0;
    this.#halvings = Math.max(0, this.#halvings - 1);
  }

  #backOff(nowMs: number): void {
    this.#intake.withdraw();
    this.#abandon();
    this.#failures++;
    this.#halvings = Math.min(this.#halvings + 1, HALVINGS_MAX);
    this.#pausedUntilMs = nowMs + backoffMs(this.#failures, this.#context.random());
  }

  /** Whatever was handed over and is not flushed will be asked for again. */
  #abandon(): void {
    for (const flight of this.#flights.splice(0)) this.#abandoned.add(flight);
    this.#laneHanded = this.#flushed.lane;
    this.#mustPull = true;
    this.#intake.raiseAttempt();
  }

  #takeSlot(nowMs: number): boolean {
    if (this.#draining || this.#slotSinceMs !== undefined) return true;
    this.#waitsForSlot = !this.#context.slots.take(this);
    if (!this.#waitsForSlot) this.#slotSinceMs = nowMs;
    return !this.#waitsForSlot;
  }

  /** A worker that does not answer in time holds up no other. */
  #lendSlot(nowMs: number): void {
    if (this.#slotSinceMs === undefined || nowMs < this.#slotSinceMs + FLUSH_INTERVAL_MS) return;
    this.#slotSinceMs = undefined;
    this.#context.slots.giveBack();
  }

  #leaveSlots(): void {
    this.#waitsForSlot = false;
    this.#context.slots.leave(this);
  }

  get #laneWaiting(): number {
    return (this.#load(WorkerControl.LANE_TAIL) - this.#laneHanded) | 0;
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
