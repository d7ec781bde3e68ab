import type { Result } from '@tidewire/schemas';
import type { TidewireError } from './error.js';
import type { SentOperation } from './protocol.js';

/** An operation that has not been settled yet. */
export interface PendingOperation extends SentOperation {
  /** Upper bound of what it takes of a frame. */
  readonly frameBytes: number;
  readonly deadlineMs: number;
  /** Awaits its answer on the present connection. */
  inFlight: boolean;
  /** Was sent at least once: a write that is given up now may have had its effect. */
  attempted: boolean;
  firstMemory: bigint;
  /** One of these two is called, once. */
  onResult(result: Result): void;
  onRefusal(error: TidewireError): void;
}

export interface WindowLimits {
  readonly queueOperationsMax: number;
  readonly queueBytesMax: number;
}

export interface BatchLimits {
  readonly inFlightMax: number;
  readonly frameOperationsMax: number;
  readonly frameBytesMax: number;
}

const REQUEST_ID_MAX = 0xffffffff;

/**
 * The operations of a client from their call to their one settlement.
 *
 * `#unsettled` holds all of them in order of acceptance, which is also the order of their deadlines
 * and of sending; `#queue` those that are not in flight. So what a lost connection left unanswered
 * comes back in its old order.
 */
export class OperationWindow {
  readonly #limits: WindowLimits;
  readonly #unsettled = new Map<number, PendingOperation>();
  #queue: PendingOperation[] = [];
  #queueBytes = 0;
  #lastRequestId = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  /** An id that no unsettled operation has; never 0. */
  nextRequestId(): number {
    do this.#lastRequestId = this.#lastRequestId === REQUEST_ID_MAX ? 1 : this.#lastRequestId + 1;
    while (this.#unsettled.has(this.#lastRequestId));
    return this.#lastRequestId;
  }

  /** Queues the operation. False if the queue is full: nothing has happened. */
  accept(operation: PendingOperation): boolean {
    if (this.#queue.length >= this.#limits.queueOperationsMax) return false;
    if (this.#queueBytes + operation.frameBytes > this.#limits.queueBytesMax) return false;
    this.#unsettled.set(operation.requestId, operation);
    this.#queue.push(operation);
    this.#queueBytes += operation.frameBytes;
    return true;
  }

  /** What goes into the next frame, now in flight; empty if nothing waits or the window is full. */
  takeBatch(limits: BatchLimits): readonly PendingOperation[] {
    const inFlight = this.#unsettled.size - this.#queue.length;
    const room = Math.min(limits.inFlightMax - inFlight, limits.frameOperationsMax);
    const batch = this.#queue.slice(0, leadingCount(this.#queue, room, limits.frameBytesMax));
    this.#queue.splice(0, batch.length);
    for (const operation of batch) {
      operation.inFlight = true;
      operation.attempted = true;
      this.#queueBytes -= operation.frameBytes;
    }
    return batch;
  }

  /** Ends the operation in flight under this id; undefined if there is none (any more). */
  settle(requestId: number): PendingOperation | undefined {
    const operation = this.#unsettled.get(requestId);
    if (!operation?.inFlight) return undefined;
    this.#unsettled.delete(requestId);
    return operation;
  }

  /** The connection is lost: everything unsettled waits to be sent again, oldest first. */
  requeue(): void {
    this.#replaceQueue([...this.#unsettled.values()]);
    for (const operation of this.#queue) operation.inFlight = false;
  }

  /** When the next operation is to be given up; undefined if there is none. */
  get earliestDeadlineMs(): number | undefined {
    return this.#oldest()?.deadlineMs;
  }

  /** Ends and returns the operations whose deadline has come. */
  takeExpired(nowMs: number): PendingOperation[] {
    const expired: PendingOperation[] = [];
    for (let next = this.#oldest(); next && next.deadlineMs <= nowMs; next = this.#oldest()) {
      this.#unsettled.delete(next.requestId);
      expired.push(next);
    }
    if (expired.some((operation) => !operation.inFlight))
      this.#replaceQueue(this.#queue.filter(({ requestId }) => this.#unsettled.has(requestId)));
    return expired;
  }

  /** Of the requests that an answer is still wanted for; 0: none. */
  get lowestRequestId(): number {
    return this.#oldest()?.requestId ?? 0;
  }

  #oldest(): PendingOperation | undefined {
    return this.#unsettled.values().next().value;
  }

  #replaceQueue(queue: PendingOperation[]): void {
    this.#queue = queue;
    this.#queueBytes = queue.reduce((sum, { frameBytes }) => sum + frameBytes, 0);
  }
}

/** How many of the first operations fit: at least one if there is room for any at all. */
function leadingCount(queue: readonly PendingOperation[], room: number, bytesMax: number): number {
  let bytes = 0;
  let count = 0;
  while (count < room && count < queue.length) {
    bytes += queue[count].frameBytes;
    if (count > 0 && bytes > bytesMax) break;
    count++;
  }
  return count;
}
