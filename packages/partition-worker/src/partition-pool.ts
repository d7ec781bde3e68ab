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
import { PoolClock } from './pool-clock.js';
import { PoolError } from './pool-error.js';
import { PoolLoop } from './pool-loop.js';
import type { PoolOptions } from './pool-options.js';
import type { PoolStore, StoreEvent } from './pool-store.js';
import type { PoolSubscription, SubscribeOptions } from './pool-subscriptions.js';
import type { EventHandler } from './pool-topic.js';
import { type OperationResult, type Partition, partitionOfKey, type Record } from './record.js';
import { type WorkerDown, WorkerThreads } from './worker-threads.js';

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
  readonly #clock: PoolClock | undefined;
  readonly #hangTimer: NodeJS.Timeout;
  readonly #onFatal: (error: PoolError) => void;
  readonly #onDown: ((down: WorkerDown) => void) | undefined;
  #hasFailed = false;
  #stopped: Promise<number | undefined> | undefined;
  readonly #onStore: ((event: StoreEvent) => void) | undefined;

  /** Resolves when the workers run and have what the store holds. */
  static async start(options: PoolOptions): Promise<PartitionPool> {
    const url = options.processors?.href;
    const processors = url === undefined ? [] : await loadProcessors(url);
    const pool = new PartitionPool(
      options,
      processors.map(({ name }) => name),
    );
    if (options.store !== undefined) await pool.#recover(options.store);
    pool.#coordinator.open();
    return pool;
  }

  private constructor(options: PoolOptions, processors: readonly string[]) {
    const { workers, memoryBytes, hangMs, heapMiB, store } = options;
    const clock = new HybridLogicalClock({ now: Date.now, driftMs: DRIFT_MS_MAX });
    const onFault = (reason: string): void => this.#onStore?.({ kind: 'unbound', reason });
    this.#clock = store && new PoolClock({ clock, store, onFault });
    const elapsedMs = (): number => performance.now();
    this.#store = store;
    this.#onDown = options.onDown;
    this.#onStore = options.onStore;
    this.#onFatal = options.onFatal ?? ((error) => void this.#endLoudly(error));
    const arenaBytes = Math.min(Math.floor(memoryBytes / workers), ARENA_BYTES_MAX);
    if (!(workers >= 1 && workers <= WORKERS_MAX && arenaBytes >= ARENA_BYTES_MIN))
      throw new PoolError(Code.INVALID, 'Workers are 1 to 16, each with at least 16 MiB.');
    this.#memory = allocateSharedMemory({ workers, arenaBytes });
    if (store === undefined)
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
  stop(): Promise<number | undefined> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<number | undefined> {
    const stopped = new PoolError(Code.UNAVAILABLE, 'The pool has been stopped.');
    this.#coordinator.refuse(stopped); // nothing may be acknowledged that the store no longer takes
    while (this.#coordinator.outstanding > 0) await delay(1);
    const left = this.#store === undefined ? 0 : await this.#store.stop();
    await this.#end(stopped);
    return left;
  }

  /** Takes in what is stored, and sets the clock above it. */
  async #recover(store: PoolStore): Promise<void> {
    let isStarting = true;
    const onFailure = (reason: string): void => {
      if (!isStarting) this.#fail(`The store cannot go on: ${reason}`);
    };
    try {
      const onEvent = (event: StoreEvent): void => this.#onStore?.(event);
      await this.#clock?.start(await store.start(this.#memory, { onEvent, onFailure }));
    } catch (error) {
      await store.stop(); // it may have started a database, and a thread
      await this.#end(new PoolError(Code.UNAVAILABLE, (error as Error).message));
      throw error;
    } finally {
      isStarting = false;
    }
  }

  async #end(error: PoolError): Promise<void> {
    this.#coordinator.close(error);
    await this.#clock?.stop();
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
    if (this.#hasFailed) return; // the first reason counts
    this.#hasFailed = true;
    const error = new PoolError(Code.UNAVAILABLE, reason);
    this.#coordinator.close(error);
    this.#onFatal(error);
  }

  /** What the store can still take it gets; then the process ends, unless someone catches it. */
  async #endLoudly(error: PoolError): Promise<void> {
    await this.stop().catch(() => undefined);
    setImmediate(() => {
      throw error;
    });
  }
}
