import type { End } from './batch-end.js';
import { StoreError } from './store.js';

/** One batch on its way to the store, and what became of it. */
export class Flight {
  /** What a commit completes. */
  readonly end: End;
  /** CHANGES_HANDED as the batch left it. */
  readonly changesHanded: number;
  /** SAFE references that it completes. */
  readonly lane: number;
  /** Has a slot of FlushSlots, to be given back once it has settled. */
  readonly hasSlot: boolean;
  #outcome: 'COMMITTED' | StoreError | undefined;

  /** `flushed`: settles with what became of it. `wake`: called then, from outside a turn. */
  constructor(options: {
    end: End;
    changesHanded: number;
    lane: number;
    hasSlot: boolean;
    flushed: Promise<void>;
    wake: () => void;
  }) {
    this.end = options.end;
    this.changesHanded = options.changesHanded;
    this.lane = options.lane;
    this.hasSlot = options.hasSlot;
    options.flushed.then(
      () => {
        this.#outcome = 'COMMITTED';
        options.wake();
      },
      (error: unknown) => {
        if (!(error instanceof StoreError)) throw error; // a bug: the thread ends
        this.#outcome = error;
        options.wake();
      },
    );
  }

  /** Undefined: still under way. */
  get outcome(): 'COMMITTED' | StoreError | undefined {
    return this.#outcome;
  }
}
