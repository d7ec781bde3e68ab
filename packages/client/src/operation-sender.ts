import { CLIENT_QUEUE_BYTES_MAX, CLIENT_QUEUE_OPERATIONS_MAX, Code } from '@tidewire/core';
import type { Result } from '@tidewire/schemas';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import { TidewireError } from './error.js';
import { OperationWindow, type PendingOperation } from './operation-window.js';
import { encodeOperations, OPERATION_OVERHEAD_BYTES, type OperationFields } from './protocol.js';
import { refusalOf } from './result.js';
import type { ServerClock } from './server-clock.js';

export interface OperationDraft extends Omit<OperationFields, 'requestId'> {
  /** UTF-8 bytes of map and key. */
  readonly nameBytes: number;
}

interface SenderOptions {
  readonly connection: Connection;
  readonly clock: ServerClock;
  readonly environment: Environment;
  readonly timeoutMs: number;
}

/** Sends operations: those of one tick in one frame, within the window, again after a loss. */
export class OperationSender {
  readonly #options: SenderOptions;
  readonly #window = new OperationWindow({
    queueOperationsMax: CLIENT_QUEUE_OPERATIONS_MAX,
    queueBytesMax: CLIENT_QUEUE_BYTES_MAX,
  });
  #flushPlanned = false;
  #cancelTimer: (() => void) | undefined;
  #end: TidewireError | undefined;

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  /**
   * Settles once, with what `read` makes of the server's answer.
   * @throws TidewireError for a refusal; UNCERTAIN if a write was sent and stayed unanswered.
   */
  submit<A>(draft: OperationDraft, read: (result: Result) => A): Promise<A> {
    return new Promise<A>((resolve, reject) => {
      const operation: PendingOperation = {
        ...draft,
        requestId: this.#window.nextRequestId(),
        frameBytes: OPERATION_OVERHEAD_BYTES + draft.nameBytes + draft.value.length,
        deadlineMs: this.#options.environment.monotonicMs() + this.#options.timeoutMs,
        inFlight: false,
        attempted: false,
        firstMemory: 0n,
        onResult: (result) => resolve(read(result)),
        onRefusal: reject,
      };
      this.#accept(operation);
    });
  }

  onReady(): void {
    this.#flush();
  }

  onLost(): void {
    this.#window.requeue();
  }

  /** @throws TidewireError INVALID for an answer of the wrong kind; its operation gets it too. */
  onResults(results: readonly Result[]): void {
    for (const result of results) {
      const operation = this.#window.settle(result.requestId);
      if (operation) settle(operation, result); // else it had been given up
    }
    this.#flush();
    this.#watchDeadline();
  }

  /** No connection will come again: everything unsettled is given up, now and from now on. */
  onEnd(error: TidewireError): void {
    this.#end = error;
    this.#giveUp(Number.POSITIVE_INFINITY, error.message);
    this.#watchDeadline();
  }

  #accept(operation: PendingOperation): void {
    if (this.#end) {
      operation.onRefusal(this.#end);
    } else if (this.#window.accept(operation)) {
      this.#watchDeadline();
      this.#planFlush();
    } else {
      operation.onRefusal(
        new TidewireError(Code.OVERLOADED, 'Too many operations wait in this client; try later.'),
      );
    }
  }

  /** Operations called in one tick leave together. */
  #planFlush(): void {
    if (this.#flushPlanned) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { connection, clock } = this.#options;
    while (connection.isReady) {
      const batch = this.#window.takeBatch(connection.server.limits);
      if (batch.length === 0) return;
      const { memory } = connection.server;
      connection.send(encodeOperations(clock.packed, batch, this.#window.lowestRequestId));
      for (const operation of batch) operation.firstMemory ||= memory;
    }
  }

  /** One timer for all: the oldest operation's deadline is the earliest. */
  #watchDeadline(): void {
    const deadlineMs = this.#window.earliestDeadlineMs;
    if (deadlineMs === undefined) {
      this.#cancelTimer?.();
      this.#cancelTimer = undefined;
    } else if (this.#cancelTimer === undefined) {
      const { environment } = this.#options;
      const delayMs = Math.max(0, deadlineMs - environment.monotonicMs());
      this.#cancelTimer = environment.startTimer(() => this.#onTimer(), delayMs);
    }
  }

  #onTimer(): void {
    this.#cancelTimer = undefined;
    const { environment, timeoutMs } = this.#options;
    this.#giveUp(environment.monotonicMs(), `There was no answer within ${timeoutMs} ms.`);
    this.#flush();
    this.#watchDeadline();
  }

  #giveUp(nowMs: number, reason: string): void {
    for (const operation of this.#window.takeExpired(nowMs)) {
      const uncertain = operation.attempted && operation.kind !== 'get';
      operation.onRefusal(
        uncertain
          ? new TidewireError(Code.UNCERTAIN, `${reason} The write may have been applied.`)
          : new TidewireError(Code.UNAVAILABLE, `${reason} Nothing was done.`),
      );
    }
  }
}

function settle(operation: PendingOperation, result: Result): void {
  const refusal = refusalOf(operation.key, result);
  try {
    if (refusal) operation.onRefusal(refusal);
    else operation.onResult(result);
  } catch (error) {
    operation.onRefusal(error as TidewireError);
    throw error;
  }
}
