import { assert, BATCH_BYTES_MAX, JOURNAL_ENTRIES, PARTITIONS } from '@tidewire/core';
import {
  BatchEnd,
  BatchKind,
  copyWords,
  type Doorbell,
  loadWatermark,
  loadWord,
  NO_ROOM,
  RecordLayout,
  RingProducer,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import { PartitionRound } from './partition-round.js';
import { isBlocked, isEnough, isFull, type Pull } from './running-pull.js';
import { type RecordStore, SCAN_END } from './store/record-store.js';

/** Records handed over in one turn: a third of a millisecond. */
const SLICE_RECORDS = 256;
/** A quarter of a batch is not for SAFE references. */
const LANE_REST_SHIFT = 2;
const END_WORDS_MAX: number = BatchEnd.MARKS + PARTITIONS * BatchEnd.MARK_WORDS;

/**
 * The worker's side of write-behind: not a queue of its own but a reader of the change journal, from
 * what was `handed` over to the present sequence, in each owned partition in turn, and of the SAFE
 * lane before. It copies current images, so hot keys coalesce and an outage needs no memory.
 *
 * The numbers handed over live in this object alone: a new worker, and a new attempt after a failed
 * batch, start again at what is flushed, and handing over twice is harmless.
 */
export class PersistenceQueue {
  readonly #store: RecordStore;
  readonly #control: Int32Array;
  readonly #batches: RingProducer;
  readonly #doorbell: Doorbell;
  readonly #partitions: number[];
  readonly #handed: Float64Array = new Float64Array(PARTITIONS);
  /** Where the scan of an overrun partition stands, and the sequence at which it began. */
  readonly #scanAt: Int32Array = new Int32Array(PARTITIONS);
  readonly #scanMark: Float64Array = new Float64Array(PARTITIONS);
  readonly #round: PartitionRound;
  #laneHanded: number;
  #attempt: number;
  #pull: Pull | undefined;

  constructor(options: {
    store: RecordStore;
    control: Int32Array;
    batchRing: SharedArrayBuffer;
    persistenceDoorbell: Doorbell;
    partitions: number[];
  }) {
    this.#store = options.store;
    this.#control = options.control;
    this.#batches = new RingProducer(options.batchRing, 2 * (END_WORDS_MAX + 2)); // and its padding
    this.#doorbell = options.persistenceDoorbell;
    this.#partitions = options.partitions;
    this.#round = new PartitionRound(options.partitions);
    this.#attempt = loadWord(this.#control, WorkerControl.ATTEMPT);
    this.#laneHanded = 0;
    this.#restart();
  }

  /** Serves the running pull by one slice. Returns the records handed over, plus one for an end. */
  doWork(): number {
    const attempt = loadWord(this.#control, WorkerControl.ATTEMPT);
    if (attempt !== this.#attempt) {
      this.#attempt = attempt;
      this.#restart();
    }
    if (this.#pull === undefined && !this.#beginPull()) return 0;
    return this.#pull === undefined ? 0 : this.#slice(this.#pull);
  }

  /** True if a pull is to be begun, or runs and the ring has room for what comes next. */
  hasWork(): boolean {
    if (this.#pull !== undefined) return this.#batches.hasRoom(2 * this.#pull.blockedWords);
    return this.#isAsked(loadWord(this.#control, WorkerControl.PULL_REQUESTED));
  }

  /** A pull waits for SAFE writes, and they are there. */
  isSafeDue(): boolean {
    if (this.#pull !== undefined || loadWord(this.#control, WorkerControl.PULL_LANE) === 0)
      return false;
    return this.#isAsked(loadWord(this.#control, WorkerControl.PULL_REQUESTED));
  }

  /** Changes not handed over. */
  dirtyCount(): number {
    let dirty = 0;
    for (const partition of this.#partitions) {
      const sequence = this.#store.sequence(partition);
      if (this.#handed[partition] !== sequence)
        dirty += sequence - Math.max(this.#handed[partition], this.#flushed(partition));
    }
    return dirty;
  }

  #beginPull(): boolean {
    const requested = loadWord(this.#control, WorkerControl.PULL_REQUESTED);
    if (!this.#isAsked(requested)) return false;
    const records = loadWord(this.#control, WorkerControl.PULL_RECORDS);
    this.#pull = {
      number: requested,
      recordsLeft: records,
      laneLeft: records - (records >> LANE_REST_SHIFT),
      wordsLeft: BATCH_BYTES_MAX >> 2,
      sliceLeft: SLICE_RECORDS,
      blockedWords: 0,
      taken: new Map(),
      marks: new Map(),
      partitionsLeft: this.#partitions.length,
    };
    return true;
  }

  /** A pull waits, and so many SAFE references as it is to wait for. */
  #isAsked(requested: number): boolean {
    if (requested === this.#control[WorkerControl.PULL_SERVED]) return false;
    const wanted = loadWord(this.#control, WorkerControl.PULL_LANE);
    return wanted === 0 || this.#laneWaiting() >= wanted;
  }

  /** SAFE references not handed over. */
  #laneWaiting(): number {
    return (this.#control[WorkerControl.LANE_TAIL] - this.#laneHanded) | 0;
  }

  /** Everything handed over and not flushed is dirty again. */
  #restart(): void {
    for (const partition of this.#partitions) {
      this.#handed[partition] = this.#flushed(partition);
      this.#scanAt[partition] = 0;
    }
    const { CHANGES, CHANGES_WHOLE } = WorkerControl;
    this.#round.restart(this.#control[CHANGES], loadWord(this.#control, CHANGES_WHOLE));
    this.#laneHanded = loadWord(this.#control, WorkerControl.LANE_FLUSHED);
    this.#pull = undefined;
  }

  #slice(pull: Pull): number {
    pull.sliceLeft = SLICE_RECORDS;
    pull.blockedWords = 0;
    this.#walkLane(pull);
    while (pull.partitionsLeft > 0 && !isEnough(pull)) {
      if (!this.#walkPartition(this.#round.partition, pull)) break;
      this.#round.advance(this.#control[WorkerControl.CHANGES]);
      pull.partitionsLeft--;
    }
    this.#batches.commit();
    const handedOver = SLICE_RECORDS - pull.sliceLeft;
    if (isBlocked(pull)) return handedOver;
    if (pull.partitionsLeft === 0 || isFull(pull)) this.#end(pull);
    return handedOver + 1;
  }

  /** References of the SAFE lane, oldest first: every record they can mean. */
  #walkLane(pull: Pull): void {
    const tail = this.#control[WorkerControl.LANE_TAIL];
    while (this.#laneHanded !== tail && pull.laneLeft > 0 && !isEnough(pull)) {
      const entry = WorkerControl.laneIndex(this.#laneHanded);
      const partition = this.#control[entry];
      const sequence = RecordLayout.joinWords(this.#control[entry + 2], this.#control[entry + 3]);
      const left = pull.recordsLeft;
      if (sequence > Math.max(this.#handed[partition], this.#flushed(partition)))
        this.#takeNewer(partition, this.#control[entry + 1], sequence);
      pull.laneLeft -= left - pull.recordsLeft;
      if (!isBlocked(pull)) this.#laneHanded = (this.#laneHanded + 1) | 0;
    }
  }

  /** True if the partition is done: for this pull, and as far as it had come when its turn began. */
  #walkPartition(partition: number, pull: Pull): boolean {
    const sequence = this.#store.sequence(partition);
    if (this.#handed[partition] === sequence) return true;
    const handed = Math.max(this.#handed[partition], this.#flushed(partition));
    const goal = this.#round.goalAt(sequence);
    if (this.#scanAt[partition] === 0) {
      if (handed >= goal) return true;
      if (sequence - handed < JOURNAL_ENTRIES && handed >= this.#store.journalFrom(partition))
        return this.#walkJournal(partition, handed, goal, pull);
      this.#scanMark[partition] = sequence;
    }
    return this.#scan(partition, handed, pull);
  }

  #walkJournal(partition: number, handed: number, goal: number, pull: Pull): boolean {
    let at = handed;
    while (at < goal && !isEnough(pull)) {
      this.#takeNewer(partition, this.#store.journalEntry(partition, at + 1), at + 1);
      if (!isBlocked(pull)) at++;
    }
    this.#mark(partition, at, pull);
    return at === goal;
  }

  /** The journal was overrun: one walk over the partition, a segment of its index at a time. */
  #scan(partition: number, handed: number, pull: Pull): boolean {
    let at = this.#scanAt[partition];
    this.#takeFrom = handed + 1;
    this.#partition = partition;
    while (at < SCAN_END && !isEnough(pull)) {
      const next = this.#store.scanSlice(partition, at, this.#takeIfNewer);
      if (isBlocked(pull)) break;
      at = next;
      this.#round.handedOver.clear();
    }
    this.#scanAt[partition] = at < SCAN_END ? at : 0;
    if (at < SCAN_END) return false;
    this.#mark(partition, this.#scanMark[partition], pull);
    return true;
  }

  /**
   * Takes every record with this index hash that is not older than `sequence`. A record rewritten
   * since is taken with its current image: else the mark would pass a change of which neither the
   * value nor the one that replaced it is in the database.
   */
  #takeNewer(partition: number, indexHash: number, sequence: number): void {
    this.#takeFrom = sequence;
    this.#partition = partition;
    this.#store.recordsWithHash(partition, indexHash, this.#takeIfNewer);
  }

  #takeFrom = 0;
  #partition = 0;
  readonly #takeIfNewer: (record: number) => void = (record) => {
    const sequence = RecordLayout.sequenceOf(this.#store.words, record);
    if (sequence >= this.#takeFrom && this.#pull !== undefined)
      this.#take(record, sequence, this.#pull);
  };

  #take(record: number, sequence: number, pull: Pull): void {
    const taken = pull.taken.get(this.#partition) ?? new Set();
    pull.taken.set(this.#partition, taken);
    if (isBlocked(pull) || taken.has(sequence) || this.#wasHandedOver(sequence)) return;
    const words = RecordLayout.imageWords(this.#store.words, record);
    const body = this.#batches.claim(BatchKind.RECORD, words);
    if (body === NO_ROOM) {
      pull.blockedWords = words;
      return;
    }
    copyWords(this.#store.words, record, this.#batches.words, body, words);
    taken.add(sequence);
    pull.recordsLeft--;
    pull.sliceLeft--;
    pull.wordsLeft -= words;
  }

  #wasHandedOver(sequence: number): boolean {
    return this.#round.handedOver.has(sequence) && this.#partition === this.#round.partition;
  }

  #mark(partition: number, sequence: number, pull: Pull): void {
    this.#handed[partition] = sequence;
    pull.marks.set(partition, sequence);
  }

  #end(pull: Pull): void {
    const dirty = this.dirtyCount();
    const changes = this.#control[WorkerControl.CHANGES];
    const body = this.#batches.claimControl(
      BatchKind.END,
      BatchEnd.MARKS + pull.marks.size * BatchEnd.MARK_WORDS,
    );
    assert(body !== NO_ROOM, 'the end of a batch fits the reserve of its ring');
    const { words } = this.#batches;
    words[body + BatchEnd.PULL] = pull.number;
    words[body + BatchEnd.ATTEMPT] = this.#attempt;
    words[body + BatchEnd.LANE_HANDED] = this.#laneHanded;
    words[body + BatchEnd.MARK_COUNT] = pull.marks.size;
    words[body + BatchEnd.MORE] = dirty > 0 ? 1 : 0;
    words[body + BatchEnd.CHANGES_WHOLE] = dirty > 0 ? this.#round.changesWhole : changes;
    let at = body + BatchEnd.MARKS;
    for (const [partition, sequence] of pull.marks) {
      words[at] = partition;
      words[at + 1] = RecordLayout.lowWord(sequence);
      words[at + 2] = RecordLayout.highWord(sequence);
      at += BatchEnd.MARK_WORDS;
    }
    storeWord(this.#control, WorkerControl.CHANGES_HANDED, (changes - dirty) | 0);
    this.#batches.commit();
    for (const sequence of pull.taken.get(this.#round.partition) ?? [])
      this.#round.handedOver.add(sequence);
    storeWord(this.#control, WorkerControl.PULL_SERVED, pull.number);
    this.#pull = undefined;
    this.#doorbell.ring();
  }

  #flushed(partition: number): number {
    return loadWatermark(this.#control, WorkerControl.flushedIndex(partition));
  }
}
