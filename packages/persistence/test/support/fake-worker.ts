import { hashOf } from '@tidewire/core';
import {
  BatchEnd,
  BatchKind,
  loadWatermark,
  loadWord,
  type MapTable,
  NO_ROOM,
  RingProducer,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { imageWordsOf, writeImage } from '#lib/record-image.js';
import type { StoredRecord } from '#lib/store.js';
import { text } from './records.js';

const END_WORDS_MAX = 1000;

/**
 * The persistence side of a partition worker, without the rest: keeps every record it is given, the
 * newest a key, and answers pulls by the protocol of core's worker-control.ts and messages.ts.
 */
export class FakeWorker {
  readonly control: Int32Array;
  readonly #ring: RingProducer;
  readonly #ringBytes: Uint8Array;
  readonly #maps: MapTable;
  readonly #records: Map<string, StoredRecord> = new Map();
  readonly #sequences: Map<number, number> = new Map();
  /** Handed over under `attempt`. */
  #handed: Set<StoredRecord> = new Set();
  #laneHanded = 0;
  attempt = 0;

  constructor(memory: WorkerMemory, maps: MapTable) {
    this.control = new Int32Array(memory.control);
    this.#ring = new RingProducer(memory.batchRing, END_WORDS_MAX);
    this.#ringBytes = new Uint8Array(memory.batchRing);
    this.#maps = maps;
  }

  /** A write took effect. `safe`: its answer waits for the store. */
  change(record: StoredRecord, safe = false): StoredRecord {
    const sequence = (this.#sequences.get(record.partition) ?? 0) + 1;
    const changed = { ...record, sequence };
    this.#sequences.set(record.partition, sequence);
    this.#records.set(`${record.map}\0${record.key}`, changed);
    this.#add(WorkerControl.CHANGES, 1);
    if (safe) this.#add(WorkerControl.LANE_TAIL, 1);
    return changed;
  }

  flushed(partition: number): number {
    return loadWatermark(this.control, WorkerControl.flushedIndex(partition));
  }

  word(index: number): number {
    return loadWord(this.control, index);
  }

  /** A pull is out that is to be answered now. */
  get isAsked(): boolean {
    if (this.word(WorkerControl.PULL_REQUESTED) === this.word(WorkerControl.PULL_SERVED))
      return false;
    this.#seeAttempt();
    const lane = (this.word(WorkerControl.LANE_TAIL) - this.#laneHanded) | 0;
    const wanted = this.word(WorkerControl.PULL_LANE);
    return wanted === 0 || lane >= wanted;
  }

  /** Answers the pull, if there is one. `override` falsifies the END. */
  answer(override: { pull?: number; attempt?: number; lane?: number } = {}): number {
    if (!this.isAsked) return 0;
    const pull = this.word(WorkerControl.PULL_REQUESTED);
    this.#laneHanded = this.word(WorkerControl.LANE_TAIL);
    const dirty = this.handOver(this.word(WorkerControl.PULL_RECORDS));
    const { attempt = this.attempt, lane = this.word(WorkerControl.LANE_TAIL) } = override;
    this.#end({ pull: override.pull ?? pull, attempt, lane }, dirty);
    storeWord(this.control, WorkerControl.CHANGES_HANDED, this.word(WorkerControl.CHANGES) - dirty);
    storeWord(this.control, WorkerControl.PULL_SERVED, pull);
    return 1;
  }

  /** Writes dirty records without an END, as if it died then. Returns how many are left. */
  handOver(limit: number): number {
    this.#seeAttempt();
    const dirty = [...this.#records.values()]
      .filter((record) => record.sequence > this.flushed(record.partition))
      .filter((record) => !this.#handed.has(record));
    for (const record of dirty.slice(0, limit)) this.#write(record);
    this.#ring.commit();
    return Math.max(0, dirty.length - limit);
  }

  /** Another worker goes on from what is shared. */
  dieAndReturn(): void {
    this.#handed.clear();
    this.#laneHanded = this.word(WorkerControl.LANE_FLUSHED);
    this.attempt = 0;
  }

  #seeAttempt(): void {
    const attempt = this.word(WorkerControl.ATTEMPT);
    if (attempt === this.attempt) return;
    this.attempt = attempt;
    this.#handed = new Set();
    this.#laneHanded = this.word(WorkerControl.LANE_FLUSHED);
  }

  #write(record: StoredRecord): void {
    const keyBytes = text(record.key);
    const name = text(record.map);
    const at = this.#ring.claim(BatchKind.RECORD, imageWordsOf(record, keyBytes.length));
    if (at === NO_ROOM) throw new Error('the test fills the batch ring');
    const mapId = this.#maps.register(name, 0, name.length);
    const key = { mapId, hash: hashOf(keyBytes), keyBytes, keyLength: keyBytes.length };
    this.#handed.add(record);
    writeImage(record, key, { words: this.#ring.words, bytes: this.#ringBytes }, at);
  }

  /** Marks every partition up to its present sequence, unless something was left over. */
  #end(
    { pull, attempt, lane }: { pull: number; attempt: number; lane: number },
    dirty: number,
  ): void {
    const marks = dirty > 0 ? [] : [...this.#sequences];
    const at = this.#ring.claimControl(BatchKind.END, BatchEnd.MARKS + 3 * marks.length);
    const { words } = this.#ring;
    words[at + BatchEnd.PULL] = pull;
    words[at + BatchEnd.ATTEMPT] = attempt;
    words[at + BatchEnd.LANE_HANDED] = lane;
    words[at + BatchEnd.MARK_COUNT] = marks.length;
    words[at + BatchEnd.MORE] = dirty > 0 ? 1 : 0;
    for (const [i, [partition, sequence]] of marks.entries())
      words.set([partition, sequence, 0], at + BatchEnd.MARKS + 3 * i);
    this.#ring.commit();
  }

  #add(index: number, count: number): void {
    storeWord(this.control, index, this.word(index) + count);
  }
}
