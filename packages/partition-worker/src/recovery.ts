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

  constructor(options: { ring: SharedArrayBuffer; store: RecordStore; control: Int32Array }) {
    this.#ring = new RingConsumer(options.ring);
    this.#store = options.store;
    this.#control = options.control;
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
      if (this.#store.restore(words, at) === FULL) throw new MemoryLimitError();
    } else if (kind === RecoveryKind.PARTITION)
      this.#store.startPartition(
        words[at + RecoveryPartition.PARTITION],
        RecordLayout.joinWords(
          words[at + RecoveryPartition.SEQUENCE_LOW],
          words[at + RecoveryPartition.SEQUENCE_HIGH],
        ),
      );
  }
}

/** The table holds more than the memory limit admits. */
export class MemoryLimitError extends Error {
  override name = 'MemoryLimitError';

  constructor() {
    super('The records of the database do not fit the memory limit: raise --memory.');
  }
}
