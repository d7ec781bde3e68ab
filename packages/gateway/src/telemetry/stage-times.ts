import { loadWord, type SharedMemory, WorkerControl } from '@tidewire/core/threads';
import type { PartitionService } from '@tidewire/partition-worker/front';
import { Durations } from './durations.js';

/** One frame, and one sending, in so many is timed. */
const SAMPLE = 64;

/** What is under way in a worker, and since when. */
interface Probe {
  isUnderWay: boolean;
  position: number;
  sinceMs: number;
}

/**
 * How long the stages of an operation take. Frames and sendings are sampled; of what other threads do one
 * probe at a time is watched for each worker, from turn to turn.
 */
export class StageTimes {
  /** A frame, until all of it lies in the rings. */
  readonly intake: Durations = new Durations();
  /** From a request ring until the worker has done it. */
  readonly worker: Durations = new Durations();
  /** Answers and events of some turns, until they are handed to the sockets. */
  readonly send: Durations = new Durations();
  /** A change, until the database has it. */
  readonly flush: Durations = new Durations();
  readonly #owners: PartitionService['owners'];
  readonly #controls: readonly Int32Array[];
  readonly #elapsedMs: () => number;
  readonly #taken: readonly Probe[];
  readonly #flushed: readonly Probe[];
  #frames = 0;
  #sendings = 0;

  constructor(options: {
    memory: SharedMemory;
    owners: PartitionService['owners'];
    elapsedMs: () => number;
  }) {
    this.#owners = options.owners;
    this.#elapsedMs = options.elapsedMs;
    this.#controls = options.memory.workers.map(({ control }) => new Int32Array(control));
    this.#taken = this.#controls.map(() => ({ isUnderWay: false, position: 0, sinceMs: 0 }));
    this.#flushed = this.#controls.map(() => ({ isUnderWay: false, position: 0, sinceMs: 0 }));
  }

  /** Is this frame to be timed? */
  isFrameDue(): boolean {
    return (++this.#frames & (SAMPLE - 1)) === 0;
  }

  isSendingDue(): boolean {
    return (++this.#sendings & (SAMPLE - 1)) === 0;
  }

  /** Call in every turn, once requests have been published. */
  look(elapsedMs: number): void {
    for (let worker = 0; worker < this.#controls.length; worker++) {
      this.#lookAtRing(worker, elapsedMs);
      this.#lookAtStore(worker, elapsedMs);
    }
  }

  #lookAtRing(worker: number, elapsedMs: number): void {
    const probe = this.#taken[worker];
    const { requests } = this.#owners[worker];
    if (probe.isUnderWay) {
      if (!requests.isTaken(probe.position)) return;
      this.worker.add(elapsedMs - probe.sinceMs);
      probe.isUnderWay = false;
    } else if (requests.tail !== probe.position) begin(probe, requests.tail, elapsedMs);
  }

  #lookAtStore(worker: number, elapsedMs: number): void {
    const probe = this.#flushed[worker];
    const control = this.#controls[worker];
    const changes = loadWord(control, WorkerControl.CHANGES);
    if (probe.isUnderWay) {
      const flushed = loadWord(control, WorkerControl.CHANGES_FLUSHED);
      if (((flushed - probe.position) | 0) < 0) return;
      this.flush.add(elapsedMs - probe.sinceMs);
      probe.isUnderWay = false;
    } else if (changes !== probe.position) begin(probe, changes, elapsedMs);
  }

  /** Times `work` into the stage. */
  time(stage: Durations, work: () => void): void {
    const sinceMs = this.#elapsedMs();
    work();
    stage.add(this.#elapsedMs() - sinceMs);
  }
}

function begin(probe: Probe, position: number, elapsedMs: number): void {
  probe.isUnderWay = true;
  probe.position = position;
  probe.sinceMs = elapsedMs;
}
