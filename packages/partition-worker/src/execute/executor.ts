import { Code, partitionOf } from '@tidewire/core';
import { loadWatermark, Operation, RecordLayout, WorkerControl } from '@tidewire/core/threads';
import { Level, OperationKind } from '@tidewire/schemas';
import type { ChangeEvents } from '../change-events.js';
import type { Timers } from '../lifetime/timers.js';
import type { Outbound } from '../outbound.js';
import { ABSENT, FULL, type RecordStore } from '../store/record-store.js';
import { compareWrite, shouldApply } from './conflict.js';
import { EffectTable } from './effect-table.js';
import { GroupExecutor } from './group-executor.js';
import {
  flagsOf,
  isClientStamped,
  isRuled,
  isSafe,
  isUpdate,
  isVisible,
  operationKindOf,
} from './operation.js';
import type { ProcessorRunner } from './processor-runner.js';
import { otherCountOf } from './record-group.js';
import type { RowRules } from './row-rules.js';
import { SafeLane } from './safe-lane.js';
import { LANE_FULL, MEMORY_FULL } from './shortage.js';
import { UpdateExecutor } from './update-executor.js';

/**
 * Executes OPERATION ring records: the only code that changes the store on behalf of a client.
 * Exactly once: the store publishes a change by one word, and whoever attaches after a death asks
 * the store whether the operation at the head of the ring has happened (`settle`).
 */
export class Executor {
  readonly #store: RecordStore;
  readonly #outbound: Outbound;
  readonly #events: ChangeEvents;
  readonly #rules: RowRules;
  readonly #timers: Timers;
  readonly #control: Int32Array;
  readonly #lane: SafeLane;
  readonly #effects: EffectTable;
  readonly #updates: UpdateExecutor;
  readonly #groups: GroupExecutor;
  readonly #runner: ProcessorRunner;
  /** Changes made by this worker's partitions so far, wrapping. */
  changes = 0;

  constructor(options: {
    store: RecordStore;
    outbound: Outbound;
    events: ChangeEvents;
    rules: RowRules;
    timers: Timers;
    control: Int32Array;
    /** See effect-table.ts. */
    effects: SharedArrayBuffer;
    runner: ProcessorRunner;
  }) {
    this.#store = options.store;
    this.#outbound = options.outbound;
    this.#events = options.events;
    this.#rules = options.rules;
    this.#timers = options.timers;
    this.#control = options.control;
    this.#runner = options.runner;
    this.#lane = new SafeLane(options.store, options.control);
    this.#effects = new EffectTable(options.effects);
    this.#groups = new GroupExecutor({
      ...options,
      lane: this.#lane,
      onChanged: (count) => {
        this.changes = (this.changes + count) | 0;
      },
      remember: (request, at, record) => this.#updates.remember(request, at, record),
    });
    this.#updates = new UpdateExecutor({
      ...options,
      effects: this.#effects,
      lane: this.#lane,
      groups: this.#groups,
      onApplied: (request, at, position, record, old) =>
        this.#applied(request, at, position, record, old),
    });
  }

  /** Reads what an operation will need into the cache, so that misses of a group overlap. */
  touch(request: Int32Array, at: number): void {
    this.#store.touch(request[at + Operation.MAP_KIND_FLAGS] >>> 16, request[at + Operation.HASH]);
  }

  /** Ends a group of touches. */
  touchRecords(): void {
    this.#store.touchRecords();
  }

  /** The events of the last operation have not all been told: nothing may be written before they are. */
  get isTelling(): boolean {
    return this.#groups.isTelling;
  }

  /** Tells the next of them; room for what one operation says has been asked for. */
  tellNext(): void {
    this.#groups.tellNext();
  }

  /** Executes the operation whose ring record ends at `position`, and answers it. */
  execute(request: Int32Array, at: number, position: number): void {
    const hash = request[at + Operation.HASH];
    const partition = partitionOf(hash);
    const record = this.#store.find(
      partition,
      request[at + Operation.MAP_KIND_FLAGS] >>> 16,
      hash,
      request,
      at + Operation.KEY,
      RecordLayout.keyLengthOf(request[at + Operation.LENGTHS]),
    );
    if (isUpdate(request, at)) this.#updates.execute(request, at, position, partition, record);
    else if (operationKindOf(request, at) === OperationKind.GET)
      this.#get(request, at, position, partition, record);
    else this.#write(request, at, position, partition, record);
  }

  /** Answers the operation at the head of the ring if it happened before a death; else false. */
  settle(request: Int32Array, at: number, position: number): boolean {
    const record = this.#store.settled(position);
    if (record === ABSENT) return this.#settleGroup(request, at, position);
    if (isUpdate(request, at)) this.#updates.remember(request, at, record);
    this.#applied(request, at, position, record, this.#store.settledOld);
    return true;
  }

  #settleGroup(request: Int32Array, at: number, position: number): boolean {
    if (!isUpdate(request, at) || otherCountOf(request, at) === 0) return false;
    const partition = partitionOf(request[at + Operation.HASH]);
    return this.#groups.settle(request, at, position, partition);
  }

  /** The session whose token lies at `at` will not come back. */
  forgetSession(request: Int32Array, at: number): void {
    this.#effects.forget(request, at);
  }

  /** Answers an operation that has ended two workers, and does nothing of it. */
  skip(request: Int32Array, at: number, position: number): void {
    const partition = partitionOf(request[at + Operation.HASH]);
    const isExecute = operationKindOf(request, at) === OperationKind.EXECUTE;
    const processor = isExecute ? this.#runner.nameFor(request, at) : undefined;
    if (processor !== undefined)
      this.#outbound.explain(`${processor} ended its worker twice and was skipped.`);
    this.#outbound.refuse(request, at, position, partition, Code.POISON);
  }

  #get(request: Int32Array, at: number, position: number, partition: number, record: number): void {
    const isThere = record !== ABSENT && isVisible(request, at, this.#store.words, record);
    const isFound = isThere && this.#rules.shows(request, at, record);
    const outcome = isFound ? Code.FOUND : Code.ABSENT;
    this.#outbound.answer(request, at, position, partition, record, outcome, Level.MEMORY);
  }

  #write(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    record: number,
  ): void {
    if (isSafe(request, at) && !this.#lane.hasRoom()) {
      this.#outbound.explainShortage(LANE_FULL);
      this.#outbound.refuse(request, at, position, partition, Code.OVERLOADED);
      return;
    }
    if (record === ABSENT && this.#isTooOld(request, at, partition)) {
      this.#outbound.refuse(request, at, position, partition, Code.TOO_OLD);
      return;
    }
    const flags = flagsOf(request, at);
    const order =
      record === ABSENT ? 1 : compareWrite(request, at, flags, this.#store.words, record);
    if (isRuled(request, at) && !this.#mayWrite(request, at, record, order)) {
      this.#outbound.forbid(request, at, position, partition);
      return;
    }
    if (!shouldApply(order)) {
      const outcome = order === 0 ? Code.DUPLICATE : Code.SUPERSEDED;
      this.#answer(request, at, position, partition, record, outcome);
      return;
    }
    const written = this.#store.put(record, request, at, partition, flags, position);
    if (written !== FULL) return this.#applied(request, at, position, written, record);
    this.#outbound.explainShortage(MEMORY_FULL);
    this.#outbound.refuse(request, at, position, partition, Code.OVERLOADED);
  }

  /**
   * Also where nothing is to be done: else writes at a guessed stamp would find out a hidden value. A removal
   * that finds itself has been permitted when there was a record.
   */
  #mayWrite(request: Int32Array, at: number, record: number, order: number): boolean {
    const rules = this.#rules;
    if (!rules.mayTouch(request, at, record)) return false;
    if (order === 0 && operationKindOf(request, at) === OperationKind.REMOVE) return true;
    return rules.mayLeave(request, at, record, request, at);
  }

  /** Whether the key may have had a newer tombstone that was collected. */
  #isTooOld(request: Int32Array, at: number, partition: number): boolean {
    if (!isClientStamped(request, at)) return false;
    const highs = request[at + Operation.MS_HIGH_COUNTER];
    const ms = RecordLayout.joinWords(request[at + Operation.MS_LOW], highs >>> 16);
    const node = request[at + Operation.NODE_VALUE_KIND] >>> 8;
    return this.#store.isCollected(partition, ms, highs & 0xffff, node);
  }

  /** What follows the publish of `record` over `old`; all of it may be said again after a death. */
  #applied(request: Int32Array, at: number, position: number, record: number, old: number): void {
    this.changes = (this.changes + 1) | 0;
    this.#timers.replaced(record, old);
    const partition = partitionOf(request[at + Operation.HASH]);
    this.#answer(request, at, position, partition, record, Code.APPLIED);
    this.#events.tell(record, old, isVisible(request, at, this.#store.words, record));
  }

  #answer(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    record: number,
    outcome: Code,
  ): void {
    if (!isSafe(request, at)) {
      this.#outbound.answer(request, at, position, partition, record, outcome, Level.MEMORY);
      return;
    }
    const sequence = RecordLayout.sequenceOf(this.#store.words, record);
    const flushed = loadWatermark(this.#control, WorkerControl.flushedIndex(partition));
    if (flushed < sequence) this.#outbound.waitForLane(this.#lane.enter(partition, record));
    this.#outbound.answer(request, at, position, partition, record, outcome, Level.DATABASE);
  }
}
