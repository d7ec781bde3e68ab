import { CONTROL_BACKLOG_MAX } from '@tidewire/core';
import type { ControlRecord } from './control-records.js';
import type { Owner } from './owner.js';

/**
 * Control records to the workers, to each in the order of the calls: what a full ring has no room
 * for waits here. How much may wait is up to whoever begins something: see `isFull`.
 */
export class WorkerRequests {
  readonly #owners: readonly Owner[];
  readonly #owed: ControlRecord[][];

  constructor(owners: readonly Owner[]) {
    this.#owners = owners;
    this.#owed = owners.map(() => []);
  }

  get workers(): number {
    return this.#owners.length;
  }

  /** Nothing new may be begun, and no credit given: what ends things must still find its place. */
  get isFull(): boolean {
    return this.#owed.some((owed) => owed.length >= CONTROL_BACKLOG_MAX);
  }

  send(worker: number, record: ControlRecord): void {
    const owed = this.#owed[worker];
    if (owed.length > 0 || !this.trySend(worker, record)) owed.push(record);
    this.#owners[worker].isBehind = owed.length > 0;
  }

  /** Sends at once or not at all, past what waits. */
  trySend(worker: number, record: ControlRecord): boolean {
    const owner = this.#owners[worker];
    if (!record(owner)) return false;
    owner.hasNews = true;
    return true;
  }

  /** Sends what waits, as far as there is room. Returns how many records. */
  sendOwed(): number {
    let sent = 0;
    for (const [worker, owed] of this.#owed.entries()) {
      let count = 0;
      while (count < owed.length && this.trySend(worker, owed[count])) count++;
      if (count > 0) owed.splice(0, count);
      this.#owners[worker].isBehind = owed.length > 0;
      sent += count;
    }
    return sent;
  }
}
