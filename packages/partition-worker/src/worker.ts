import { assert, PARTITIONS } from '@tidewire/core';
import {
  CancelRequest,
  CensusRequest,
  CreditRequest,
  Doorbell,
  InterestEnd,
  InterestKind,
  loadWord,
  Operation,
  ownerOf,
  PERSISTENCE_DOORBELL,
  RecordLayout,
  RequestKind,
  RingConsumer,
  storeWord,
  TICK_REPORT,
  TickRequest,
  UnsubscribeRequest,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { Census } from './census.js';
import { ChangeEvents } from './change-events.js';
import { Executor } from './execute/executor.js';
import type { NamedProcessor } from './execute/processor.js';
import { ProcessorRunner } from './execute/processor-runner.js';
import { RowRules } from './execute/row-rules.js';
import { Collector } from './lifetime/collector.js';
import { Sweeper } from './lifetime/sweeper.js';
import { Outbound } from './outbound.js';
import { PersistenceQueue } from './persistence-queue.js';
import { ProgressReport } from './progress-report.js';
import { Streams } from './query/streams.js';
import { SubscriptionIndex } from './query/subscription-index.js';
import { Recovery } from './recovery.js';
import { RecordStore } from './store/record-store.js';
import { TurnTime } from './turn-time.js';

/** Operations whose records are touched together before the first is executed. */
const GROUP = 16;
const GROUPS_A_TURN = 16;
const INTERESTS_A_TURN = 1024;
/** How long to sleep when what is lacking is room in another thread's ring. */
const BLOCKED_SLEEP_MS = 1;
const IDLE_SLEEP_MS = 250;
/** Looks before a sleep, some 15 µs in all: less than the gateway pays to wake a thread. */
const SPINS = 200;

/**
 * One partition worker: owns its partitions' records and executes what is asked of them, one
 * operation after another. All state that matters lies in shared memory; a new Worker on the memory
 * of one that died, wherever it died, goes on as if nothing had happened.
 */
export class Worker {
  readonly #control: Int32Array;
  readonly #requests: RingConsumer;
  readonly #interestRing: RingConsumer;
  readonly #start: number;
  readonly #interests: SubscriptionIndex;
  readonly #store: RecordStore;
  readonly #outbound: Outbound;
  readonly #executor: Executor;
  readonly #rules: RowRules;
  readonly #sweeper: Sweeper;
  readonly #collector: Collector;
  readonly #recovery: Recovery;
  readonly #queue: PersistenceQueue;
  readonly #streams: Streams;
  readonly #progress: ProgressReport;
  readonly #census: Census;
  readonly #time: TurnTime;
  readonly #doorbell: Doorbell;
  readonly #persistenceDoorbell: Doorbell;
  readonly #kinds: Int32Array = new Int32Array(new SharedArrayBuffer(GROUP * 4));
  readonly #indexes: Int32Array = new Int32Array(new SharedArrayBuffer(GROUP * 4));
  readonly #positions: Int32Array = new Int32Array(new SharedArrayBuffer(GROUP * 4));
  /** The operation at the head of the ring may have happened before this worker attached. */
  #isFirst = true;
  /** Or has ended two workers, and is skipped. */
  readonly #isPoisoned: boolean;
  #pending = 0; // records of the group not yet executed, for want of outbound room
  #group = 0;

  /** Every interest has been told; until then a change could miss its subscribers. */
  #isIntroduced = false;

  /**
   * `start`: how often a worker has been started on this memory, this time included.
   * `processors`: as all threads number them. `elapsedMs`: of any clock that never falls.
   */
  constructor(
    memory: WorkerMemory,
    doorbells: SharedArrayBuffer,
    start: number,
    processors: readonly NamedProcessor[] = [],
    elapsedMs: () => number = () => performance.now(),
  ) {
    this.#start = start;
    this.#control = new Int32Array(memory.control);
    this.#isPoisoned = loadWord(this.#control, WorkerControl.POISONED) !== 0;
    this.#control[WorkerControl.IS_EXECUTING] = 0;
    this.#requests = new RingConsumer(memory.requestRing);
    this.#interestRing = new RingConsumer(memory.interestRing);
    this.#doorbell = new Doorbell(this.#control, WorkerControl.WORKER_DOORBELL);
    this.#persistenceDoorbell = new Doorbell(new Int32Array(doorbells), PERSISTENCE_DOORBELL);
    const control = this.#control;
    this.#time = new TurnTime(elapsedMs, () => this.#beat());
    const store = new RecordStore(memory.arena);
    const interests = new SubscriptionIndex(control, this.#time.onTry);
    const rules = new RowRules(store.words);
    const outbound = new Outbound({ memory, doorbells, interests, rules, store });
    const events = new ChangeEvents({ outbound, interests, words: store.words });
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition).filter(
      (partition) => ownerOf(partition, memory.workers) === memory.worker,
    );
    this.#store = store;
    this.#outbound = outbound;
    this.#interests = interests;
    this.#rules = rules;
    this.#sweeper = new Sweeper({ store, events, outbound, partitions });
    const { timers } = this.#sweeper;
    const persistence = this.#persistenceDoorbell;
    this.#collector = new Collector({ store, control, partitions, persistence });
    this.#executor = new Executor({
      store,
      outbound,
      events,
      rules,
      timers,
      control,
      effects: memory.effects,
      runner: new ProcessorRunner(processors, elapsedMs),
    });
    const { recoveryRing } = memory;
    this.#recovery = new Recovery({ ring: recoveryRing, store, control, onRecord: timers.meet });
    this.#queue = new PersistenceQueue({
      store,
      control,
      batchRing: memory.batchRing,
      persistenceDoorbell: this.#persistenceDoorbell,
      partitions,
    });
    this.#streams = new Streams({
      outbound,
      interests,
      store,
      control,
      time: this.#time,
      partitions,
      collectedUpTo: (partition) => store.collected(partition).sequence,
    });
    this.#progress = new ProgressReport(store, partitions);
    this.#census = new Census({ store, outbound, partitions });
    this.#executor.changes = (control[WorkerControl.CHANGES_HANDED] + this.#queue.dirtyCount()) | 0;
    this.#report();
  }

  get isStopping(): boolean {
    return loadWord(this.#control, WorkerControl.STOP) !== 0;
  }

  /** One bounded turn. Returns the work done; 0: nothing to do, or no room to do it. */
  doWork(): number {
    const told = this.#isIntroduced ? 0 : this.#hearInterests();
    // Where `conclude` first finds room the request at the head of the ring finds it too, so whatever an
    // earlier worker may have done last is told before anything else is written.
    const isReady = this.#isIntroduced && this.#sweeper.conclude();
    const requests = isReady ? this.#drainRequests() : 0;
    const isSafeDue = this.#queue.isSafeDue();
    if (requests > 0 && !isSafeDue) this.#outbound.ring();
    const kept = isReady && !this.#executor.isTelling ? this.#keepHouse() : 0;
    const recovered = this.#recovery.doWork();
    this.#countChanges(); // before a batch that has them ends
    const handedOver = this.#queue.doWork();
    // To wake a thread takes as long as many operations: the store first, which SAFE writes wait for.
    if (requests > 0 && isSafeDue) this.#outbound.ring();
    const others = recovered + handedOver + this.#streams.doWork();
    const work = told + requests + kept + others;
    if (work > 0) this.#report();
    return work;
  }

  /** Blocks the thread until there is something to do; first it looks again for a moment. */
  sleep(): void {
    for (let i = 0; i < SPINS; i++) if (this.hasWork()) return;
    this.#doorbell.sleep(
      () => this.hasWork(),
      this.#outbound.hasRoomForSlice() ? IDLE_SLEEP_MS : BLOCKED_SLEEP_MS,
    );
    this.#beat();
  }

  /** True if a turn would find something. */
  hasWork(): boolean {
    if (this.isStopping || this.#recovery.hasWork() || this.#queue.hasWork()) return true;
    if (!this.#isIntroduced) return !this.#interestRing.isEmpty();
    if (this.#streams.hasWork() || this.#census.hasWork()) return true;
    if (this.#sweeper.hasWork() || this.#collector.hasWork()) return true;
    return this.#outbound.hasRoom() && (this.#pending > 0 || !this.#requests.isEmpty());
  }

  #beat(): void {
    storeWord(this.#control, WorkerControl.HEARTBEAT, this.#control[WorkerControl.HEARTBEAT] + 1);
  }

  /** What the worker does beside requests. */
  #keepHouse(): number {
    return this.#sweeper.doWork() + this.#collector.doWork() + this.#census.doWork();
  }

  #drainRequests(): number {
    let done = 0;
    this.#time.begin();
    for (let i = 0; i < GROUPS_A_TURN; i++) {
      if (this.#pending === 0) this.#collectGroup();
      const executed = this.#executeGroup();
      if (executed === 0) break;
      done += executed;
      if (this.#time.isOver()) break;
    }
    return done;
  }

  /** Takes the next records of the ring together and touches what they will need. */
  #collectGroup(): void {
    let count = 0;
    while (count < GROUP && this.#requests.next()) {
      this.#kinds[count] = this.#requests.kind;
      this.#indexes[count] = this.#requests.index;
      this.#positions[count] = this.#requests.position;
      if (this.#requests.kind === RequestKind.OPERATION)
        this.#executor.touch(this.#requests.words, this.#requests.index);
      count++;
    }
    if (count > 0) this.#executor.touchRecords();
    this.#group = count;
    this.#pending = count;
  }

  #executeGroup(): number {
    let done = 0;
    while (this.#pending > 0 && this.#outbound.hasRoom()) {
      const i = this.#group - this.#pending;
      const mayBeLong = this.#mayBeLong(this.#kinds[i], this.#indexes[i]);
      if (!this.#executor.isTelling)
        this.#dispatch(this.#kinds[i], this.#indexes[i], this.#positions[i]);
      // Answer and events are visible before the request is given back: a death in between makes
      // the next worker say them again, and the gateway drops what it has.
      this.#outbound.commit();
      if (!this.#tellRest()) break;
      this.#requests.release(this.#positions[i]);
      if (this.#kinds[i] === RequestKind.OPERATION) this.#control[WorkerControl.OPERATIONS]++;
      this.#isFirst = false;
      this.#pending--;
      done++;
      if (mayBeLong && this.#time.isOver()) break;
    }
    return done;
  }

  /** False: there is no room for all events of the operation now. */
  #tellRest(): boolean {
    while (this.#executor.isTelling && this.#outbound.hasRoom()) {
      this.#executor.tellNext();
      this.#outbound.commit();
    }
    if (this.#executor.isTelling) this.#outbound.ring(); // room comes only if the gateway reads
    return !this.#executor.isTelling;
  }

  /** Whether to look at the clock behind a request; behind all others it is read once a group. */
  #mayBeLong(kind: number, at: number): boolean {
    if (kind !== RequestKind.OPERATION) return false;
    const mapId = this.#requests.words[at + Operation.MAP_KIND_FLAGS] >>> 16;
    return this.#interests.predicatesOf(mapId) !== undefined;
  }

  #dispatch(kind: number, at: number, position: number): void {
    const { words } = this.#requests;
    switch (kind) {
      case RequestKind.OPERATION:
        this.#execute(words, at, position);
        return;
      case RequestKind.SUBSCRIBE:
        this.#interests.add(words, at);
        this.#outbound.subscribed(words, at, position);
        return;
      case RequestKind.UNSUBSCRIBE:
        this.#interests.remove(words[at + UnsubscribeRequest.TOPIC]);
        return;
      case RequestKind.CATCH_UP:
        this.#streams.catchUp(words, at);
        return;
      case RequestKind.QUERY:
        this.#streams.query(words, at);
        return;
      case RequestKind.CREDIT:
        this.#streams.addCredit(words[at + CreditRequest.STREAM], words[at + CreditRequest.BYTES]);
        return;
      case RequestKind.CANCEL:
        this.#streams.cancel(words[at + CancelRequest.STREAM]);
        return;
      case RequestKind.FORGET_SESSION:
        this.#executor.forgetSession(words, at);
        return;
      case RequestKind.END_PRESENCE:
        this.#sweeper.endPresence(words, at);
        return;
      case RequestKind.RULE:
        this.#rules.add(words, at);
        return;
      case RequestKind.FORGET_RULE:
        this.#rules.forget(words, at);
        return;
      case RequestKind.CENSUS:
        this.#census.begin(words[at + CensusRequest.NUMBER]);
        return;
      case RequestKind.TICK:
        this.#onTick(words, at);
        return;
      default:
        assert(false, `request of unknown kind ${kind}`);
    }
  }

  #onTick(words: Int32Array, at: number): void {
    const nowMs = RecordLayout.joinWords(
      words[at + TickRequest.NOW_LOW],
      words[at + TickRequest.NOW_HIGH],
    );
    this.#sweeper.onTick(nowMs);
    this.#collector.onTick(nowMs);
    if ((words[at + TickRequest.FLAGS] & TICK_REPORT) !== 0) this.#progress.say(this.#outbound);
  }

  #execute(words: Int32Array, at: number, position: number): void {
    this.#control[WorkerControl.IS_EXECUTING] = 1; // read by another thread after a death alone
    if (!this.#isFirst || !this.#conclude(words, at, position))
      this.#executor.execute(words, at, position);
    this.#control[WorkerControl.IS_EXECUTING] = 0;
  }

  /** Answers the operation that an earlier worker died at, unless it is simply to be executed. */
  #conclude(words: Int32Array, at: number, position: number): boolean {
    if (this.#executor.settle(words, at, position)) return true;
    if (this.#isPoisoned) this.#executor.skip(words, at, position);
    return this.#isPoisoned;
  }

  #hearInterests(): number {
    let done = 0;
    const { words } = this.#interestRing;
    while (!this.#isIntroduced && done < INTERESTS_A_TURN && this.#interestRing.next()) {
      const { index: at, kind } = this.#interestRing;
      if (kind === InterestKind.SUBSCRIBE) this.#interests.add(words, at);
      else if (kind === InterestKind.RULE) this.#rules.add(words, at);
      else this.#isIntroduced = words[at + InterestEnd.START] === this.#start;
      this.#interestRing.release();
      done++;
    }
    return done;
  }

  #countChanges(): void {
    const changes = (this.#executor.changes + this.#sweeper.changes) | 0;
    if (changes !== this.#control[WorkerControl.CHANGES])
      storeWord(this.#control, WorkerControl.CHANGES, changes);
  }

  /**
   * Publishes the turn's numbers and wakes persistence if it waits for them. It waits for no SAFE write: a
   * pull that stands takes those, and where none stands it comes by itself.
   */
  #report(): void {
    this.#countChanges();
    storeWord(this.#control, WorkerControl.RECORDS, this.#store.recordsLive);
    storeWord(this.#control, WorkerControl.SPANS, this.#store.spansUsed);
    this.#interests.report();
    this.#beat();
    const wakeAt = loadWord(this.#control, WorkerControl.WAKE_AT_CHANGES);
    if (((this.#control[WorkerControl.CHANGES] - wakeAt) | 0) >= 0)
      this.#persistenceDoorbell.ring();
  }
}
