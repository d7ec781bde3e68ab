import type { PoolError } from './pool-error.js';
import type { PoolStore, StoreEvent } from './pool-store.js';
import type { WorkerDown } from './worker-threads.js';

export interface PoolOptions {
  /** Worker threads, 1 to 16. */
  readonly workers: number;
  /** For records, of all workers together; at least 16 MiB each. */
  readonly memoryBytes: number;
  /** Keeps records beyond the process; without it they are in memory alone. */
  readonly store?: PoolStore;
  /** An ES module whose exported functions `execute` may name: see Processor. */
  readonly processors?: URL;
  /** Operations under way at one time; those beyond wait. Default 1,024. */
  readonly inFlightMax?: number;
  /** How long a worker may take no turn before it is ended. Default 5,000. */
  readonly hangMs?: number;
  /** Most JavaScript heap of a worker, in MiB; records lie outside of it. Default: what Node gives. */
  readonly heapMiB?: number;
  /** A worker has ended. It is started again and goes on, unless `isGivenUp`. */
  readonly onDown?: (down: WorkerDown) => void;
  /** What becomes of the store: it is away, or back, or has put a record aside. The pool goes on. */
  readonly onStore?: (event: StoreEvent) => void;
  /**
   * The pool cannot go on: stop it. Default: it is stopped, and the error is thrown from the event loop,
   * which ends the process.
   */
  readonly onFatal?: (error: PoolError) => void;
}
