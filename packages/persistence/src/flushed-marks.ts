import {
  loadWatermark,
  loadWord,
  storeWatermark,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import type { End } from './batch-end.js';

/**
 * How much of one worker is in the store, for all threads to see. Nothing of it falls: a worker that takes
 * over begins at what is flushed, so a batch of it may speak of less than the one before.
 */
export class FlushedMarks {
  readonly #control: Int32Array;
  #lane: number;
  #changes: number;

  constructor(control: Int32Array) {
    this.#control = control;
    this.#lane = loadWord(control, WorkerControl.LANE_FLUSHED);
    this.#changes = loadWord(control, WorkerControl.CHANGES_FLUSHED);
  }

  /** SAFE lane position. */
  get lane(): number {
    return this.#lane;
  }

  /** Of CHANGES. */
  get changes(): number {
    return this.#changes;
  }

  /** A batch is in the store, and every one before it. */
  raise({ end, changesHanded }: { readonly end: End; readonly changesHanded: number }): void {
    for (const { partition, sequence } of end.marks) {
      const index = WorkerControl.flushedIndex(partition);
      if (sequence > loadWatermark(this.#control, index))
        storeWatermark(this.#control, index, sequence);
    }
    if (((end.laneHanded - this.#lane) | 0) > 0) {
      this.#lane = end.laneHanded;
      storeWord(this.#control, WorkerControl.LANE_FLUSHED, end.laneHanded);
    }
    if (((changesHanded - this.#changes) | 0) > 0) {
      this.#changes = changesHanded;
      storeWord(this.#control, WorkerControl.CHANGES_FLUSHED, changesHanded);
    }
    storeWord(this.#control, WorkerControl.CHANGES_WHOLE, end.changesWhole);
  }
}
