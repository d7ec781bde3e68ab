import { OPERATIONS_A_TURN } from '@tidewire/core';
import type { Doorbell } from '@tidewire/core/threads';
import type { Gateway } from './gateway.js';

type Agent = Pick<Gateway, 'doWork' | 'flush' | 'hasWork' | 'msLeft' | 'outstanding'>;

/** How long to look for answers without progress before sleeping. */
const POLL_US = 50;
/**
 * How long answers may wait for others of the same time, while workers owe some: one message with
 * ten answers costs hardly more than one with a single answer.
 */
const HOLD_US = 50;
/** A turn is due at least this often. */
const SLEEP_MS_MAX = 100;

/**
 * The gateway's idle strategy. Waking an event loop costs more than an operation, so while workers
 * owe answers the loop polls for a moment before it sleeps on the doorbell. It never polls for a
 * SAFE result: those wait for a disk.
 *
 * The event loop reads every socket that has something before it comes back here, a great deal of each. So
 * a turn is also taken in between, after every OPERATIONS_A_TURN: workers have begun before the last
 * socket is read, and nobody waits for an answer until all that others have sent is taken.
 */
export class GatewayLoop {
  readonly #gateway: Agent;
  readonly #doorbell: Doorbell;
  readonly #nowUs: () => number;
  #isScheduled = false;
  #isStopped = false;
  #progressUs = 0;
  #flushedUs = 0;
  /** Counts sleeps, so that one that was cut short does not start a second loop. */
  #sleep = 0;
  #isAsleep = false;
  /** Operations taken since the last turn. */
  #taken = 0;
  #isInTurn = false;

  constructor(options: { gateway: Agent; doorbell: Doorbell; nowUs: () => number }) {
    this.#gateway = options.gateway;
    this.#doorbell = options.doorbell;
    this.#nowUs = options.nowUs;
  }

  /** So many operations were taken: asks for a turn soon, or takes one if they are many. */
  onTaken(operations: number): void {
    this.#taken += operations;
    this.wake();
    if (this.#taken >= OPERATIONS_A_TURN && !this.#isInTurn && !this.#isStopped) {
      this.#work();
      this.#flush(this.#nowUs());
    }
  }

  /** Asks for a turn soon; cheap to call for every frame. */
  readonly wake = (): void => {
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    if (this.#isAsleep) {
      this.#isAsleep = false;
      this.#sleep++;
      this.#doorbell.ring(); // ends the wait that is still pending
    }
    setImmediate(this.#turn);
  };

  stop(): void {
    this.#isStopped = true;
  }

  readonly #turn = (): void => {
    this.#isScheduled = false;
    if (this.#isStopped) return;
    const work = this.#work();
    const nowUs = this.#nowUs();
    const isOwed = this.#gateway.outstanding > 0;
    const polls = isOwed && nowUs - this.#progressUs < POLL_US;
    if (!isOwed || !polls || nowUs - this.#flushedUs >= HOLD_US) this.#flush(nowUs);
    if (work > 0 || polls) this.wake();
    else void this.#rest();
  };

  #work(): number {
    this.#taken = 0;
    this.#isInTurn = true;
    const work = this.#gateway.doWork();
    this.#isInTurn = false;
    if (work > 0) this.#progressUs = this.#nowUs();
    return work;
  }

  #flush(nowUs: number): void {
    this.#flushedUs = nowUs;
    this.#gateway.flush();
  }

  async #rest(): Promise<void> {
    const sleep = ++this.#sleep;
    this.#isAsleep = true;
    const sleepMs = Math.min(SLEEP_MS_MAX, Math.ceil(this.#gateway.msLeft()));
    await this.#doorbell.sleepAsync(() => this.#gateway.hasWork(), sleepMs);
    if (sleep !== this.#sleep) return;
    this.#isAsleep = false;
    this.wake();
  }
}
