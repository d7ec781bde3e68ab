import { LANE_ENTRIES, partitionOf } from '@tidewire/core';
import {
  BatchEnd,
  BatchKind,
  Doorbell,
  loadWord,
  type MapTable,
  RecordLayout,
  RingConsumer,
  storeWord,
  WorkerControl,
  type WorkerMemory,
} from '@tidewire/core/threads';
import { Batch } from './batch.js';
import { type End, readEnd } from './batch-end.js';
import { ImageReader } from './record-image.js';
import type { StoredRecord } from './store.js';

/** Ring records taken in one turn. */
const TURN_RECORDS = 512;
/** More SAFE references than there can be. */
const NEVER: number = LANE_ENTRIES + 1;

/** A batch that the worker has handed over whole. */
export interface Handed {
  readonly end: End;
  readonly changesHanded: number;
  readonly records: StoredRecord[];
}

/**
 * Asks one worker for batches and takes them, one after another:
 *
 *     NONE → (leave) → STANDING → (call) → CALLED → NONE, with the END of this pull and attempt
 *
 * A standing pull is answered unasked once SAFE writes wait, so that none of them waits for a
 * question; a called one at once. An END of another pull or attempt completes nothing.
 */
export class BatchIntake {
  readonly #control: Int32Array;
  readonly #worker: Doorbell;
  readonly #ring: RingConsumer;
  readonly #images: ImageReader;
  readonly #onRefused: () => void;
  readonly #batch: Batch = new Batch();
  #state: 'NONE' | 'STANDING' | 'CALLED' = 'NONE';
  #pull: number;
  #attempt: number;
  #laneWanted = 0;

  /** `onRefused`: an END has completed nothing; raise the attempt, so that the worker hands over again. */
  constructor(options: { memory: WorkerMemory; maps: MapTable; onRefused: () => void }) {
    this.#control = new Int32Array(options.memory.control);
    this.#worker = new Doorbell(this.#control, WorkerControl.WORKER_DOORBELL);
    this.#ring = new RingConsumer(options.memory.batchRing);
    this.#images = new ImageReader(options.memory.batchRing, options.maps);
    this.#onRefused = options.onRefused;
    this.#pull = loadWord(this.#control, WorkerControl.PULL_REQUESTED);
    this.#attempt = loadWord(this.#control, WorkerControl.ATTEMPT);
  }

  get isCalled(): boolean {
    return this.#state === 'CALLED';
  }

  /** There is something to take. */
  get hasWork(): boolean {
    return !this.#ring.isEmpty();
  }

  /**
   * Leaves a pull standing for when `laneWanted` SAFE references wait behind `laneHanded`, or changes
   * the one that stands.
   */
  leave(records: number, laneWanted: number, laneHanded: number): void {
    if (this.#state === 'STANDING' && laneWanted === this.#laneWanted) return;
    this.#ask(records, laneWanted);
    this.#state = 'STANDING';
    // Looked at behind the store: a worker that enters more has seen the pull.
    const lane = (loadWord(this.#control, WorkerControl.LANE_TAIL) - laneHanded) | 0;
    if (lane >= laneWanted) this.#worker.ring();
  }

  /** Asks for a batch now. */
  call(records: number): void {
    this.#ask(records, 0);
    this.#state = 'CALLED';
    this.#worker.ring();
  }

  /** What the worker has not begun it leaves alone; what it has is not taken. */
  withdraw(): void {
    storeWord(this.#control, WorkerControl.PULL_LANE, NEVER);
    this.#state = 'NONE';
  }

  /** Abandons what was handed over; the worker hands it over again, if a pull is out by that. */
  raiseAttempt(): void {
    this.#batch.clear();
    this.#attempt = (this.#attempt + 1) | 0;
    storeWord(this.#control, WorkerControl.ATTEMPT, this.#attempt);
  }

  /** Takes a bounded number of ring records, up to an END. Returns their number. */
  take(onHanded: (handed: Handed) => void): number {
    let count = 0;
    let mayWaitForRoom = true;
    while (count < TURN_RECORDS && this.#ring.next()) {
      const { kind, words, index } = this.#ring;
      if (kind === BatchKind.END) mayWaitForRoom = !this.#onEnd(words, index, onHanded);
      else this.#onRecord(words, index);
      count++;
    }
    if (count === 0) return 0;
    this.#ring.release();
    if (mayWaitForRoom) this.#worker.ring(); // to wake a thread costs more than a small batch
    return count;
  }

  #ask(records: number, laneWanted: number): void {
    this.#laneWanted = laneWanted;
    storeWord(this.#control, WorkerControl.PULL_RECORDS, records);
    storeWord(this.#control, WorkerControl.PULL_LANE, laneWanted);
    if (this.#state === 'STANDING') return;
    this.#batch.clear();
    this.#pull = (this.#pull + 1) | 0;
    storeWord(this.#control, WorkerControl.PULL_REQUESTED, this.#pull);
  }

  #onRecord(words: Int32Array, at: number): void {
    if (this.#state === 'NONE') return; // the rest of an abandoned answer
    const partition = partitionOf(words[at + RecordLayout.HASH]);
    this.#batch.add(this.#images.read(at, partition));
  }

  /** True if the pull has ended by it: the worker has nothing more to hand over. */
  #onEnd(words: Int32Array, at: number, onHanded: (handed: Handed) => void): boolean {
    const isOfPull = this.#state !== 'NONE' && words[at + BatchEnd.PULL] === this.#pull;
    if (isOfPull) this.#state = 'NONE';
    // The worker counts the records of a refused END as handed over, so it must forget that. One of
    // another pull comes from a worker that died behind its END and left the pull to the next.
    if (!isOfPull || words[at + BatchEnd.ATTEMPT] !== this.#attempt) {
      this.#onRefused();
      return false;
    }
    const changesHanded = loadWord(this.#control, WorkerControl.CHANGES_HANDED);
    onHanded({ end: readEnd(words, at), changesHanded, records: this.#batch.take() });
    return true;
  }
}
