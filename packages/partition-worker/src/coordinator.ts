import {
  assert,
  Code,
  type HybridLogicalClock,
  isRefusal,
  Receipt,
  TICK_INTERVAL_MS,
} from '@tidewire/core';
import { MapTable, type SharedMemory } from '@tidewire/core/threads';
import type { Result } from '@tidewire/schemas';
import { decodeResult, resultOf } from './answer.js';
import { type ClientOperation, OperationDraft } from './client-operation.js';
import { tickRecord } from './front/control-records.js';
import { type OutboundHandlers, OutboundReader } from './front/outbound-reader.js';
import {
  type OperationTime,
  PartitionService,
  ROUTED,
  UNRULED,
} from './front/partition-service.js';
import type { Caller } from './front/update-fields.js';
import { WorkerRequests } from './front/worker-requests.js';
import { PoolError } from './pool-error.js';
import { PoolSubscriptions } from './pool-subscriptions.js';
import type { OperationResult } from './record.js';

export interface CoordinatorOptions {
  readonly memory: SharedMemory;
  readonly clock: HybridLogicalClock;
  /** Of the stamps that it gives. */
  readonly node: number;
  /** Names of the processors, in the order of their numbers. */
  readonly processors: readonly string[];
  /** Operations under way at one time; those beyond wait. */
  readonly inFlightMax: number;
  readonly nowMs: () => number;
  readonly elapsedMs: () => number;
  /** There is something to do. */
  readonly onWork: () => void;
}

/** An operation from its call to its one settlement. */
interface Call {
  readonly operation: ClientOperation;
  readonly draft: OperationDraft;
  resolve(result: OperationResult): void;
  reject(error: PoolError): void;
}

/** The embedding thread is the only caller, and never says an operation twice. */
const CALLER: Caller = { id: 1, token: new Uint8Array(0), memory: 0 };
const REQUEST_ID_MAX = 0xffffffff;

/**
 * The embedding thread's part: it holds the one clock, stamps operations, sends them to the workers
 * that own their keys, and brings answers and events back. An agent: `doWork` is one bounded turn.
 */
export class Coordinator {
  readonly subscriptions: PoolSubscriptions;
  readonly #options: CoordinatorOptions;
  readonly #partitions: PartitionService;
  readonly #requests: WorkerRequests;
  readonly #outbound: readonly OutboundReader[];
  readonly #time: OperationTime = { ms: 0, counter: 0, node: 0, nowMs: 0 };
  /** Sent and not answered, by request id. */
  readonly #inFlight: Map<number, Call> = new Map();
  /** Not sent yet, first come first. */
  #queue: Call[] = [];
  #lastRequestId = 0;
  /** The workers have their records: they may be told the time. */
  #isOpen = false;
  #tickedMs = 0;
  #end: PoolError | undefined;

  constructor(options: CoordinatorOptions) {
    this.#options = options;
    const { memory } = options;
    const mapTable = new MapTable(memory.mapTable);
    this.#partitions = new PartitionService(memory, mapTable);
    this.#requests = new WorkerRequests(this.#partitions.owners);
    this.subscriptions = new PoolSubscriptions({
      mapTable,
      partitions: this.#partitions,
      requests: this.#requests,
      onWork: options.onWork,
    });
    const handlers = this.#handlers();
    this.#outbound = memory.workers.map((worker) => new OutboundReader(worker, handlers));
  }

  /** Operations that have not been settled. */
  get outstanding(): number {
    return this.#inFlight.size + this.#queue.length;
  }

  /**
   * Carries an operation out. Settles once, after a worker's death too.
   * @throws PoolError for a refusal.
   */
  process(operation: ClientOperation): Promise<OperationResult> {
    return new Promise((resolve, reject) => {
      if (this.#end !== undefined) throw this.#end;
      const draft = new OperationDraft(operation, this.#options.processors);
      this.#queue.push({ operation, draft, resolve, reject });
      this.#options.onWork();
    });
  }

  /** The workers have what the store holds. */
  open(): void {
    this.#isOpen = true;
  }

  /** A worker is about to run for the `start`-th time. */
  onWorkerStart(worker: number, start: number): void {
    this.subscriptions.onWorkerStart(worker, start);
    this.#options.onWork();
  }

  /** What comes from now on rejects; what is under way goes on. */
  refuse(error: PoolError): void {
    this.#end = error;
  }

  /** Nothing is carried out any more: what has not been settled rejects, now and from now on. */
  close(error: PoolError): void {
    this.#end = error;
    for (const { reject } of [...this.#inFlight.values(), ...this.#queue]) reject(error);
    this.#inFlight.clear();
    this.#queue = [];
  }

  /** One turn: requests out, answers and events in. Returns the work done. */
  doWork(): number {
    const elapsedMs = this.#options.elapsedMs();
    this.#tick(elapsedMs);
    let work = this.#requests.sendOwed() + this.subscriptions.introduce() + this.#send();
    this.#partitions.publish();
    for (const reader of this.#outbound)
      work += reader.drain(elapsedMs) + reader.releasePending(elapsedMs);
    return work;
  }

  hasWork(): boolean {
    return this.#outbound.some((reader) => reader.hasWork());
  }

  /** Sends what waits, as far as the window and the rings have room. Returns how many. */
  #send(): number {
    let sent = 0;
    while (sent < this.#queue.length && this.#inFlight.size < this.#options.inFlightMax) {
      if (!this.#sendOne(this.#queue[sent])) break;
      sent++;
    }
    if (sent > 0) this.#queue.splice(0, sent);
    return sent;
  }

  /** False: there is no room in its owner's ring now. */
  #sendOne(call: Call): boolean {
    const { draft } = call;
    const fault = this.#stamp(call.operation);
    if (fault !== Code.UNSPECIFIED) return this.#refuse(call, fault);
    draft.requestId = this.#nextRequestId();
    const code = this.#partitions.route(
      draft,
      draft.bytes,
      CALLER,
      this.#time,
      UNRULED,
      draft.others,
    );
    if (code === Code.OVERLOADED) return false;
    if (code === Code.ABSENT) {
      call.resolve({ ...NOTHING, outcome: Code.ABSENT }); // nobody has written to this map
      return true;
    }
    if (code !== ROUTED) return this.#refuse(call, code);
    this.#inFlight.set(draft.requestId, call);
    return true;
  }

  #refuse(call: Call, code: Code): true {
    call.reject(new PoolError(code));
    return true;
  }

  #stamp({ kind, stamp }: ClientOperation): Code {
    const { clock, node, nowMs } = this.#options;
    const time = this.#time;
    time.nowMs = nowMs();
    if (stamp === undefined) {
      if (kind !== 'get' && !clock.tick()) return Code.OVERLOADED;
      time.ms = clock.ms;
      time.counter = clock.counter;
      time.node = node;
      return Code.UNSPECIFIED;
    }
    const receipt = clock.receive(stamp.ms, stamp.counter);
    if (receipt !== Receipt.ACCEPTED) return Code.CLOCK_DRIFT;
    time.ms = stamp.ms;
    time.counter = stamp.counter;
    time.node = stamp.node;
    return Code.UNSPECIFIED;
  }

  #nextRequestId(): number {
    do this.#lastRequestId = this.#lastRequestId === REQUEST_ID_MAX ? 1 : this.#lastRequestId + 1;
    while (this.#inFlight.has(this.#lastRequestId));
    return this.#lastRequestId;
  }

  #handlers(): OutboundHandlers {
    const ignore = (): void => {};
    return {
      onResult: (_, bytes, offset, length) => this.#onResult(decodeResult(bytes, offset, length)),
      onEvent: (words, bytes, at) => this.subscriptions.onEvent(words, bytes, at),
      onSubscribed: (worker, topic) => this.subscriptions.onSubscribed(worker, topic),
      // Catch-ups, queries and reports are not asked for.
      onSlice: ignore,
      onRows: ignore,
      onProgress: ignore,
    };
  }

  #onResult(result: Result): void {
    const call = this.#inFlight.get(result.requestId);
    if (call === undefined) {
      assert(this.#end !== undefined, 'an operation is answered once');
      return;
    }
    this.#inFlight.delete(result.requestId);
    const { map, key } = call.operation;
    const settled = resultOf(map, key, result);
    if (!isRefusal(result.refusal)) call.resolve(settled);
    else call.reject(new PoolError(result.refusal, result.detail, settled.record));
  }

  #tick(elapsedMs: number): void {
    if (!this.#isOpen || elapsedMs - this.#tickedMs < TICK_INTERVAL_MS) return;
    this.#tickedMs = elapsedMs;
    const record = tickRecord(this.#options.nowMs(), 0);
    for (let worker = 0; worker < this.#requests.workers; worker++)
      this.#requests.trySend(worker, record); // one that finds no room is soon followed by another
  }
}

const NOTHING = {
  isDurable: false,
  partition: 0,
  sequence: 0,
  stamp: { ms: 0, counter: 0, node: 0 },
  record: undefined,
} as const;
