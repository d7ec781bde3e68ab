import { LANE_ENTRIES } from '@tidewire/core';
import { loadWord, RecordLayout, storeWord, WorkerControl } from '@tidewire/core/threads';
import type { RecordStore } from '../store/record-store.js';

/**
 * The worker's end of the SAFE lane: references to records whose answers wait for the database. A
 * position in it counts references and wraps.
 */
export class SafeLane {
  readonly #store: RecordStore;
  readonly #control: Int32Array;

  constructor(store: RecordStore, control: Int32Array) {
    this.#store = store;
    this.#control = control;
  }

  hasRoom(references = 1): boolean {
    const flushed = loadWord(this.#control, WorkerControl.LANE_FLUSHED);
    const used = (this.#control[WorkerControl.LANE_TAIL] - flushed) | 0;
    return used + references <= LANE_ENTRIES;
  }

  /**
   * Refers persistence to `count` records that were written together; returns the lane position that
   * their answer waits for. Said again after a death, it goes on behind those that are in the lane.
   */
  enterAll(partition: number, count: number, recordAt: (i: number) => number): number {
    const { words } = this.#store;
    const tail = this.#control[WorkerControl.LANE_TAIL];
    let i = count;
    while (
      i > 0 &&
      !this.#isNewest(tail, partition, RecordLayout.sequenceOf(words, recordAt(i - 1)))
    )
      i--;
    for (; i < count; i++) this.enter(partition, recordAt(i));
    return this.#control[WorkerControl.LANE_TAIL];
  }

  /** Refers persistence to a record; returns the lane position that its answer waits for. */
  enter(partition: number, record: number): number {
    const { words } = this.#store;
    const tail = this.#control[WorkerControl.LANE_TAIL];
    const sequence = RecordLayout.sequenceOf(words, record);
    if (this.#isNewest(tail, partition, sequence)) return tail;
    const entry = WorkerControl.laneIndex(tail);
    this.#control[entry] = partition;
    this.#control[entry + 1] = this.#store.indexHashOf(
      words[record + RecordLayout.HASH],
      RecordLayout.mapIdOf(words, record),
    );
    this.#control[entry + 2] = RecordLayout.lowWord(sequence);
    this.#control[entry + 3] = RecordLayout.highWord(sequence);
    storeWord(this.#control, WorkerControl.LANE_TAIL, (tail + 1) | 0);
    return (tail + 1) | 0;
  }

  /** Said again after a death: the lane may have no room for a second reference. */
  #isNewest(tail: number, partition: number, sequence: number): boolean {
    const entry = WorkerControl.laneIndex(tail - 1);
    return (
      this.#control[entry] === partition &&
      this.#control[entry + 2] === RecordLayout.lowWord(sequence) &&
      this.#control[entry + 3] === RecordLayout.highWord(sequence)
    );
  }
}
