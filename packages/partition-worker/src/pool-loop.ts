import type { Doorbell } from '@tidewire/core/threads';
import type { Coordinator } from './coordinator.js';

/** How long to look for answers without progress before sleeping. */
const POLL_MS = 0.05;
/** A turn is due at least this often. */
const SLEEP_MS = 50;

/** Turns of a coordinator in an event loop: polls for a moment, then sleeps on the doorbell. */
export class PoolLoop {
  readonly #coordinator: Coordinator;
  readonly #doorbell: Doorbell;
  readonly #elapsedMs: () => number;
  #isScheduled = false;
  #isStopped = false;
  #progressMs = 0;
  /** Counts sleeps, so that one that was cut short does not start a second loop. */
  #sleep = 0;

  constructor(coordinator: Coordinator, doorbell: Doorbell, elapsedMs: () => number) {
    this.#coordinator = coordinator;
    this.#doorbell = doorbell;
    this.#elapsedMs = elapsedMs;
  }

  /** Asks for a turn soon; cheap to call for every operation. */
  readonly wake = (): void => {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#sleep++;
    this.#doorbell.ring(); // ends a wait that is still pending
    setImmediate(this.#turn);
  };

  stop(): void {
    this.#isStopped = true;
    this.#doorbell.ring();
  }

  readonly #turn = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    const work = this.#coordinator.doWork();
    const nowMs = this.#elapsedMs();
    if (work > 0) this.#progressMs = nowMs;
    const polls = this.#coordinator.outstanding > 0 && nowMs - this.#progressMs < POLL_MS;
    if (work > 0 || polls) this.wake();
    else void this.#rest();
  };

  async #rest(): Promise<void> {
    const sleep = ++this.#sleep;
    await this.#doorbell.sleepAsync(() => this.#coordinator.hasWork(), SLEEP_MS);
    if (sleep === this.#sleep) this.wake();
  }
}
