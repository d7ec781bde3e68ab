import { Code } from '@tidewire/core';
import {
  loadWatermark,
  Operation,
  OperationExtension,
  RecordLayout,
  WorkerControl,
} from '@tidewire/core/threads';
import { Level } from '@tidewire/schemas';
import type { Outbound } from '../outbound.js';
import { ABSENT, FULL, type RecordStore } from '../store/record-store.js';
import { ABSENT_EFFECT, type EffectTable, hasToken } from './effect-table.js';
import type { GroupExecutor } from './group-executor.js';
import { flagsOf, isSafe, isVisible } from './operation.js';
import type { ProcessorRunner } from './processor-runner.js';
import { otherCountOf } from './record-group.js';
import { extensionOf } from './request-fields.js';
import type { RowRules } from './row-rules.js';
import type { SafeLane } from './safe-lane.js';
import { EFFECTS_FULL, LANE_FULL, MEMORY_FULL, type Shortage } from './shortage.js';
import { isUncertain, meetsCondition, UpdateRequest } from './update-request.js';

interface UpdateExecutorOptions {
  readonly store: RecordStore;
  readonly outbound: Outbound;
  readonly control: Int32Array;
  readonly effects: EffectTable;
  readonly lane: SafeLane;
  readonly rules: RowRules;
  readonly runner: ProcessorRunner;
  readonly groups: GroupExecutor;
  /** The update has been published as `record` over `old`: it is answered, and its events are told. */
  readonly onApplied: (
    request: Int32Array,
    at: number,
    position: number,
    record: number,
    old: number,
  ) => void;
}

/**
 * Executes updates: in the order of their arrival, on the record as it stands, each request of a
 * session once. An update comes to a plain write, stamped above the record, that is published as any
 * other; its effect is remembered before it is answered.
 */
export class UpdateExecutor {
  readonly #options: UpdateExecutorOptions;
  readonly #write: UpdateRequest;
  /** A sentence on why the last one was refused; empty: its code says all. */
  #reason = '';

  constructor(options: UpdateExecutorOptions) {
    this.#options = options;
    this.#write = new UpdateRequest(options.runner);
  }

  execute(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    record: number,
  ): void {
    const { effects, outbound, rules } = this.#options;
    const extension = extensionOf(request, at);
    const lowestPending = request[extension + OperationExtension.LOWEST_PENDING];
    effects.forgetBelow(request, extension, lowestPending);
    const effect = effects.find(request, extension, request[at + Operation.REQUEST_ID]);
    if (effect !== ABSENT_EFFECT) {
      this.#answerAgain(request, at, position, partition, record, effect);
      return;
    }
    const refusal = this.#apply(request, at, position, partition, record);
    if (refusal === Code.UNSPECIFIED) return;
    if (refusal === Code.FORBIDDEN) outbound.forbid(request, at, position, partition);
    else if (refusal === Code.FOUND) this.#answerAsItIs(request, at, position, partition, record);
    else {
      const isShown = rules.shows(request, at, record); // a reason may tell of the record
      if (this.#reason !== '' && isShown) outbound.explain(this.#reason);
      outbound.refuse(request, at, position, partition, refusal, record);
    }
  }

  /** After the publish, also when it is found out after a death. */
  readonly remember: (request: Int32Array, at: number, record: number) => void = (
    request,
    at,
    record,
  ) => {
    const { effects, store } = this.#options;
    const extension = extensionOf(request, at);
    if (!hasToken(request, extension)) return;
    const requestId = request[at + Operation.REQUEST_ID];
    effects.remember(request, extension, requestId, store.words, record);
  };

  #answerAsItIs(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    record: number,
  ): void {
    const { outbound, store } = this.#options;
    const isFound = record !== ABSENT && isVisible(request, at, store.words, record);
    const outcome = isFound ? Code.FOUND : Code.ABSENT;
    outbound.answer(request, at, position, partition, record, outcome, Level.MEMORY);
  }

  /** Returns 0, or why nothing was done; FOUND: since a processor wants it so. */
  #apply(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    record: number,
  ): Code {
    const { effects, groups, lane, onApplied, rules, store } = this.#options;
    const others = otherCountOf(request, at);
    this.#reason = '';
    if (isUncertain(request, extensionOf(request, at))) return Code.UNCERTAIN;
    const hasRoom = !isSafe(request, at) || lane.hasRoom(1 + others);
    if (effects.isFullFor(request, extensionOf(request, at))) return this.#lacks(EFFECTS_FULL);
    if (!hasRoom) return this.#lacks(LANE_FULL);
    if (!rules.mayTouch(request, at, record)) return Code.FORBIDDEN;
    if (!meetsCondition(request, at, store.words, record)) return Code.PRECONDITION;
    const isGroup = others > 0;
    const refusal = isGroup
      ? groups.apply(request, at, position, partition)
      : this.#write.make(request, at, store.words, record);
    this.#reason = isGroup ? groups.reason : this.#write.reason;
    if (isGroup || refusal !== Code.UNSPECIFIED) return refusal;
    const { words } = this.#write;
    if (!rules.mayLeave(request, at, record, words, 0)) return Code.FORBIDDEN;
    const written = store.put(record, words, 0, partition, flagsOf(words, 0), position);
    if (written === FULL) return this.#lacks(MEMORY_FULL);
    this.remember(request, at, written);
    onApplied(request, at, position, written, record);
    return Code.UNSPECIFIED;
  }

  #lacks(shortage: Shortage): Code {
    this.#options.outbound.explainShortage(shortage);
    return Code.OVERLOADED;
  }

  /** The effect may have been replaced since by a `record` that is as durable, or more. */
  #answerAgain(
    request: Int32Array,
    at: number,
    position: number,
    partition: number,
    record: number,
    effect: number,
  ): void {
    const { effects, outbound } = this.#options;
    const level = isSafe(request, at) ? Level.DATABASE : Level.MEMORY;
    if (isSafe(request, at) && !this.#awaitAgain(request, at, partition, record, effect)) {
      outbound.explainShortage(LANE_FULL);
      outbound.refuse(request, at, position, partition, Code.OVERLOADED);
    } else outbound.answerWith(effects.words, effect, request, at, position, partition, level);
  }

  /** Lets the next answer wait until the effect is durable. False: there is no room for that. */
  #awaitAgain(
    request: Int32Array,
    at: number,
    partition: number,
    record: number,
    effect: number,
  ): boolean {
    const { control, effects, groups, lane, outbound } = this.#options;
    if (otherCountOf(request, at) > 0) return groups.awaitAgain(request, at, partition);
    const flushed = loadWatermark(control, WorkerControl.flushedIndex(partition));
    const isFlushed = flushed >= RecordLayout.sequenceOf(effects.words, effect);
    if (isFlushed || record === ABSENT) return true;
    if (!lane.hasRoom()) return false;
    outbound.waitForLane(lane.enter(partition, record));
    return true;
  }
}
