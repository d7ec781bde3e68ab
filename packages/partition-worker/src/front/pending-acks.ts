import { Code, SAFE_DEADLINE_MS } from '@tidewire/core';
import { patchLevel, patchRefusal } from '@tidewire/core/threads';
import { Level } from '@tidewire/schemas';

/** A SAFE result that waits for the database. */
interface PendingAck {
  readonly sessionId: number;
  readonly lanePosition: number;
  readonly deadlineMs: number;
  readonly result: Uint8Array;
}

/**
 * SAFE results of one worker, in the order of its lane, until the lane is flushed up to them or
 * their deadline has passed. Bounded by the lane: a write that finds it full is refused.
 */
export class PendingAcks {
  #queue: PendingAck[] = [];
  #first = 0;

  get count(): number {
    return this.#queue.length - this.#first;
  }

  /** Keeps a copy of the result at `bytes[offset, offset + length)`. */
  add(
    ack: { sessionId: number; lanePosition: number; elapsedMs: number },
    bytes: Uint8Array,
    offset: number,
    length: number,
  ): void {
    this.#queue.push({
      sessionId: ack.sessionId,
      lanePosition: ack.lanePosition,
      deadlineMs: ack.elapsedMs + SAFE_DEADLINE_MS,
      result: bytes.slice(offset, offset + length),
    });
  }

  isReleasable(laneFlushed: number): boolean {
    const first = this.#queue[this.#first];
    return first !== undefined && ((laneFlushed - first.lanePosition) | 0) >= 0;
  }

  /** Lets go what is flushed, as it is, and what is overdue, as NOT_YET_DURABLE. Returns how many. */
  release(
    laneFlushed: number,
    elapsedMs: number,
    send: (sessionId: number, result: Uint8Array) => void,
  ): number {
    const before = this.#first;
    for (; this.#first < this.#queue.length; this.#first++) {
      const ack = this.#queue[this.#first];
      const isFlushed = ((laneFlushed - ack.lanePosition) | 0) >= 0;
      if (!isFlushed && elapsedMs < ack.deadlineMs) break;
      if (!isFlushed) markNotYetDurable(ack.result);
      send(ack.sessionId, ack.result);
    }
    const released = this.#first - before;
    this.#compact();
    return released;
  }

  #compact(): void {
    if (this.#first < 1024 || this.#first * 2 < this.#queue.length) return;
    this.#queue = this.#queue.slice(this.#first);
    this.#first = 0;
  }
}

function markNotYetDurable(result: Uint8Array): void {
  patchRefusal(result, 0, Code.NOT_YET_DURABLE);
  patchLevel(result, 0, Level.MEMORY);
}
