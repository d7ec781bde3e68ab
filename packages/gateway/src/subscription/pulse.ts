import { PROGRESS_INTERVAL_MS, TICK_INTERVAL_MS } from '@tidewire/core';
import { TICK_REPORT } from '@tidewire/core/threads';
import { tickRecord, type WorkerRequests } from '@tidewire/partition-worker/front';
import { Beat } from '../session/beat.js';
import type { TurnTime } from '../turn-time.js';
import type { Conflation } from './conflation.js';
import type { EventBus } from './event-bus.js';
import type { ProgressDesk } from './progress.js';

/** What happens by the clock: ticks to workers, what was held back, and Progress behind it all. */
export class Pulse {
  readonly #time: TurnTime;
  readonly #requests: WorkerRequests;
  readonly #conflation: Conflation;
  readonly #bus: EventBus;
  readonly #progress: ProgressDesk;
  readonly #ticks: Beat = new Beat(1000 / TICK_INTERVAL_MS);
  readonly #reports: Beat = new Beat(1000 / PROGRESS_INTERVAL_MS);
  readonly #seconds: Beat = new Beat(1000 / PROGRESS_INTERVAL_MS);

  constructor(options: {
    time: TurnTime;
    requests: WorkerRequests;
    conflation: Conflation;
    bus: EventBus;
    progress: ProgressDesk;
  }) {
    this.#time = options.time;
    this.#requests = options.requests;
    this.#conflation = options.conflation;
    this.#bus = options.bus;
    this.#progress = options.progress;
  }

  /** Returns the work done. */
  doWork(): number {
    const elapsedMs = this.#time.elapsedMs();
    let work = this.#conflation.publishDue(elapsedMs);
    if (this.#seconds.isDue(elapsedMs) || this.#progress.isFirstDue) {
      this.#conflation.publishAll(); // early only if Progress has never been published
      this.#bus.flush();
      this.#progress.publish();
      work++;
    }
    if (this.#ticks.isDue(elapsedMs)) work += this.#tick(elapsedMs);
    return work;
  }

  /** Milliseconds until there may be something to do. */
  msLeft(): number {
    const elapsedMs = this.#time.elapsedMs();
    return Math.min(this.#ticks.msLeft(elapsedMs), this.#conflation.msLeft(elapsedMs));
  }

  /** Reports are asked for one tick before the second, so that Progress is fresh. */
  #tick(elapsedMs: number): number {
    const isReport = this.#reports.isDue(elapsedMs + TICK_INTERVAL_MS);
    const tick = tickRecord(this.#time.nowMs, isReport ? TICK_REPORT : 0);
    // A worker that does not read is not told the time again and again.
    for (let worker = 0; worker < this.#requests.workers; worker++)
      this.#requests.trySend(worker, tick);
    return this.#requests.workers;
  }
}
