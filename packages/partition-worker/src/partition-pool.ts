import { randomInt } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import {
  ARENA_BYTES_MAX,
  ARENA_BYTES_MIN,
  Code,
  DRIFT_MS_MAX,
  HybridLogicalClock,
  IN_FLIGHT_MAX,
  NODE_MAX,
  WORKERS_MAX,
} from '@tidewire/core';
import {
  allocateSharedMemory,
  Doorbell,
  GATEWAY_DOORBELL,
  type SharedMemory,
  storeWord,
  WorkerControl,
} from '@tidewire/core/threads';
import type { ClientOperation, OperationOptions, RecordPlace } from './client-operation.js';
import { Coordinator } from './coordinator.js';
import { loadProcessors } from './execute/processor.js';
import { PoolError } from './pool-error.js';
import { PoolLoop } from './pool-loop.js';
import type { PoolStore } from './pool-store.js';
import type { PoolSubscription, SubscribeOptions } from './pool-subscriptions.js';
import type { EventHandler } from './pool-topic.js';
import { type OperationResult, type Partition, partitionOfKey, type Record } from './record.js';
import { type WorkerDown, WorkerThreads } from './worker-threads.js';

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
  /** The pool cannot go on. Default: the error is thrown from the event loop, which ends the process. */
  readonly onFatal?: (error: PoolError) => void;
}

const HANG_LOOKS = 10;

/**
 * Partitioned records in worker threads, without a network: each partition has one writer, and a
 * worker that dies is replaced without anything being lost. The embedding thread talks to the
 * workers through rings in shared memory; every method resolves with the worker's answer.
 */
export class PartitionPool {
  readonly #memory: SharedMemory;
  readonly #coordinator: Coordinator;
  readonly #loop: PoolLoop;
  readonly #threads: WorkerThreads;
  readonly #store: PoolStore | undefined;
  readonly #hangTimer: NodeJS.Timeout;
  readonly #onFatal: (error: PoolError) => void;
  readonly #onDown: ((down: WorkerDown) => void) | undefined;

  /** Resolves when the workers run and have what the store holds. */
  static async start(options: PoolOptions): Promise<PartitionPool> {
    const url = options.processors?.href;
    const processors = url === undefined ? [] : await loadProcessors(url);
    const nowMs = Date.now;
    const clock = new HybridLogicalClock({ now: nowMs, driftMs: DRIFT_MS_MAX });
    const pool = new PartitionPool(
      options,
      clock,
      processors.map(({ name }) => name),
    );
    clock.ms = Math.max(clock.ms, await pool.#recover());
    pool.#coordinator.open();
    return pool;
  }

  private constructor(
    options: PoolOptions,
    clock: HybridLogicalClock,
    processors: readonly string[],
  ) {
    const { workers, memoryBytes, hangMs, heapMiB } = options;
    const elapsedMs = (): number => performance.now();
    this.#store = options.store;
    this.#onDown = options.onDown;
    this.#onFatal = options.onFatal ?? throwFromLoop;
    const arenaBytes = Math.min(Math.floor(memoryBytes / workers), ARENA_BYTES_MAX);
    if (!(workers >= 1 && workers <= WORKERS_MAX && arenaBytes >= ARENA_BYTES_MIN))
      throw new PoolError(Code.INVALID, 'Workers are 1 to 16, each with at least 16 MiB.');
    this.#memory = allocateSharedMemory({ workers, arenaBytes });
    if (options.store === undefined)
      for (const { control } of this.#memory.workers)
        storeWord(new Int32Array(control), WorkerControl.NO_STORE, 1);
    this.#coordinator = new Coordinator({
      memory: this.#memory,
      clock,
      node: randomInt(1, NODE_MAX + 1),
      processors,
      inFlightMax: options.inFlightMax ?? IN_FLIGHT_MAX,
      nowMs: Date.now,
      elapsedMs,
      onWork: () => this.#loop.wake(),
    });
    const doorbell = new Doorbell(new Int32Array(this.#memory.doorbells), GATEWAY_DOORBELL);
    this.#loop = new PoolLoop(this.#coordinator, doorbell, elapsedMs);
    this.#threads = new WorkerThreads({
      memory: this.#memory,
      processors: options.processors?.href,
      hangMs,
      heapMiB,
      onStart: (worker, start) => this.#coordinator.onWorkerStart(worker, start),
      onDown: (down) => this.#onWorkerDown(down),
      nowMs: elapsedMs,
      wait: delay,
    });
    const lookMs = (hangMs ?? 1000) / HANG_LOOKS;
    this.#hangTimer = setInterval(() => this.#threads.checkHangs(), lookMs).unref();
  }

  /** Stores anything with a JSON form, or bytes. SUPERSEDED: a newer record stands. */
  put(
    map: string,
    key: string,
    value: unknown,
    options: OperationOptions = {},
  ): Promise<OperationResult> {
    return this.process({ ...options, kind: 'put', map, key, value });
  }

  remove(map: string, key: string, options: OperationOptions = {}): Promise<OperationResult> {
    return this.process({ ...options, kind: 'remove', map, key });
  }

  /** The record under `key`, or undefined. */
  async get<T>(map: string, key: string): Promise<Record<T> | undefined> {
    return this.#record<T>({ kind: 'get', map, key });
  }

  /** The records under `keys`, by key; a key without a record is left out. */
  async getAll<T>(map: string, keys: Iterable<string>): Promise<Map<string, Record<T>>> {
    const records = await Promise.all([...keys].map((key) => this.get<T>(map, key)));
    const found = records.filter((record) => record !== undefined);
    return new Map(found.map((record) => [record.key, record]));
  }

  /** Adds `by` to the number that stands, 0 if there is none. Resolves with the new record. */
  increment(
    map: string,
    key: string,
    by: number | bigint = 1,
    options: OperationOptions = {},
  ): Promise<Record<number>> {
    return this.#update<number>({ ...options, kind: 'increment', map, key, value: by });
  }

  /** Leaves the smaller of `bound` and the number that stands. */
  minimum(
    map: string,
    key: string,
    bound: number | bigint,
    options: OperationOptions = {},
  ): Promise<Record<number>> {
    return this.#update<number>({ ...options, kind: 'minimum', map, key, value: bound });
  }

  /** Leaves the larger of `bound` and the number that stands. */
  maximum(
    map: string,
    key: string,
    bound: number | bigint,
    options: OperationOptions = {},
  ): Promise<Record<number>> {
    return this.#update<number>({ ...options, kind: 'maximum', map, key, value: bound });
  }

  /** JSON merge patch (RFC 7396). */
  merge<T>(
    map: string,
    key: string,
    patch: unknown,
    options: OperationOptions = {},
  ): Promise<Record<T>> {
    return this.#update<T>({ ...options, kind: 'merge', map, key, value: patch });
  }

  /** Adds `element` to the end of the array that stands, and keeps the last `keep` of them. */
  append<T>(
    map: string,
    key: string,
    element: unknown,
    options: OperationOptions & { readonly keep?: number } = {},
  ): Promise<Record<T[]>> {
    return this.#update<T[]>({ ...options, kind: 'append', map, key, value: element });
  }

  /**
   * Runs the processor of this name in the worker that owns `key`. Resolves with the record that it
   * left, or undefined. With `others`, records of the same partition, it is a GroupProcessor, and changes
   * them all at once. @throws PoolError FAILED for what it throws: nothing has changed.
   */
  async execute<T>(
    map: string,
    key: string,
    processor: string,
    argument?: unknown,
    options: OperationOptions & { readonly others?: readonly RecordPlace[] } = {},
  ): Promise<Record<T> | undefined> {
    const operation = { kind: 'execute', map, key, processor, value: argument } as const;
    return this.#record<T>({ ...options, ...operation });
  }

  /** Hears of every later change of a map, a key of it, or what a predicate holds for. */
  subscribe<T>(
    map: string,
    handler: EventHandler<T>,
    options: SubscribeOptions = {},
  ): Promise<PoolSubscription> {
    return this.#coordinator.subscriptions.subscribe(map, handler as EventHandler, options);
  }

  /** What all of the above come to. */
  async process(operation: ClientOperation): Promise<OperationResult> {
    if (operation.safe && this.#store === undefined)
      throw new PoolError(Code.INVALID, 'Without a store nothing is safe.');
    return this.#coordinator.process(operation);
  }

  /** Where a key's records lie, of whatever map. */
  partitionOf(key: string): Partition {
    return partitionOfKey(key, this.#memory.workers.length);
  }

  /**
   * Waits for the operations under way, lets the store write the rest, and ends the threads. Resolves
   * with the changes that are in no store: undefined if nobody knows, 0 without a store.
   */
  async stop(): Promise<number | undefined> {
    const stopped = new PoolError(Code.UNAVAILABLE, 'The pool has been stopped.');
    this.#coordinator.refuse(stopped); // nothing may be acknowledged that the store no longer takes
    while (this.#coordinator.outstanding > 0) await delay(1);
    const left = this.#store === undefined ? 0 : await this.#store.stop();
    await this.#end(stopped);
    return left;
  }

  /** Resolves with the milliseconds that the clock must be above. */
  async #recover(): Promise<number> {
    let isStarting = true;
    const onFailure = (reason: string): void => {
      if (!isStarting) this.#fail(`The store cannot go on: ${reason}`);
    };
    try {
      return (await this.#store?.start(this.#memory, onFailure)) ?? 0;
    } catch (error) {
      await this.#store?.stop(); // it may have started a database, and a thread
      await this.#end(new PoolError(Code.UNAVAILABLE, (error as Error).message));
      throw error;
    } finally {
      isStarting = false;
    }
  }

  async #end(error: PoolError): Promise<void> {
    this.#coordinator.close(error);
    await this.#threads.stop();
    clearInterval(this.#hangTimer); // a worker may hang at its end too
    this.#loop.stop();
  }

  async #record<T>(operation: ClientOperation): Promise<Record<T> | undefined> {
    return (await this.process(operation)).record as Record<T> | undefined;
  }

  async #update<T>(operation: ClientOperation): Promise<Record<T>> {
    return (await this.process(operation)).record as Record<T>;
  }

  #onWorkerDown(down: WorkerDown): void {
    this.#onDown?.(down);
    if (!down.isGivenUp) return;
    const reason = down.cause instanceof Error ? down.cause.message : String(down.cause);
    this.#fail(`Worker ${down.worker} keeps dying: ${reason}`);
  }

  #fail(reason: string): void {
    const error = new PoolError(Code.UNAVAILABLE, reason);
    this.#coordinator.close(error);
    this.#onFatal(error);
  }
}

function throwFromLoop(error: PoolError): void {
  setImmediate(() => {
    throw error;
  });
}
