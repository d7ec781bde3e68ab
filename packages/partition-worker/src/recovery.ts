import {
  RecordLayout,
  RecoveryKind,
  RecoveryPartition,
  RingConsumer,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import { FULL, type RecordStore } from './store/record-store.js';

const RECORDS_A_TURN = 1024;

/** Takes what the database held into the store, from the recovery ring. */
export class Recovery {
  readonly #ring: RingConsumer;
  readonly #store: RecordStore;
  readonly #control: Int32Array;
  readonly #onRecord: (record: number) => void;

  /** `onRecord` is told the record that stands. */
  constructor(options: {
    ring: SharedArrayBuffer;
    store: RecordStore;
    control: Int32Array;
    onRecord: (record: number) => void;
  }) {
    this.#ring = new RingConsumer(options.ring);
    this.#store = options.store;
    this.#control = options.control;
    this.#onRecord = options.onRecord;
  }

  hasWork(): boolean {
    return !this.#ring.isEmpty();
  }

  /** One bounded turn. Returns the ring records taken. */
  doWork(): number {
    let done = 0;
    for (; done < RECORDS_A_TURN && this.#ring.next(); done++) {
      this.#take();
      this.#ring.release();
    }
    if (done > 0) {
      const recovered = (this.#control[WorkerControl.RECOVERED] + done) | 0;
      storeWord(this.#control, WorkerControl.RECOVERED, recovered);
    }
    return done;
  }

  #take(): void {
    const { kind, index: at, words } = this.#ring;
    if (kind === RecoveryKind.RECORD) {
      const record = this.#store.restore(words, at);
      if (record === FULL) throw new MemoryLimitError();
      this.#onRecord(record);
    } else if (kind === RecoveryKind.PARTITION) this.#startPartition(words, at);
  }

  #startPartition(words: Int32Array, at: number): void {
    const partition = words[at + RecoveryPartition.PARTITION];
    const highs = words[at + RecoveryPartition.GC_MS_HIGH_COUNTER];
    this.#store.raiseCollected({
      partition,
      sequence: RecordLayout.joinWords(
        words[at + RecoveryPartition.GC_SEQUENCE_LOW],
        words[at + RecoveryPartition.GC_SEQUENCE_HIGH],
      ),
      ms: RecordLayout.joinWords(words[at + RecoveryPartition.GC_MS_LOW], highs >>> 16),
      counter: highs & 0xffff,
      node: words[at + RecoveryPartition.GC_NODE],
    });
    this.#store.startPartition(
      partition,
      RecordLayout.joinWords(
        words[at + RecoveryPartition.SEQUENCE_LOW],
        words[at + RecoveryPartition.SEQUENCE_HIGH],
      ),
    );
  }
}

/** The table holds more than the memory limit admits. */
class MemoryLimitError extends Error {
  override name = 'MemoryLimitError';

  constructor() {
    super('The records of the database do not fit the memory limit: raise --memory.');
  }
}
