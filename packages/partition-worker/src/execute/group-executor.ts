import { Code } from '@tidewire/core';
import { loadWatermark, Operation, RecordLayout, WorkerControl } from '@tidewire/core/threads';
import { Level } from '@tidewire/schemas';
import type { ChangeEvents } from '../change-events.js';
import type { Timers } from '../lifetime/timers.js';
import type { Outbound } from '../outbound.js';
import { ABSENT, type RecordStore } from '../store/record-store.js';
import { flagsOf, isSafe, isVisible } from './operation.js';
import type { Processed, ProcessorRunner } from './processor-runner.js';
import { RecordGroup } from './record-group.js';
import type { SafeLane } from './safe-lane.js';
import { MEMORY_FULL } from './shortage.js';
import { UpdateRequest, visible } from './update-request.js';

interface GroupExecutorOptions {
  readonly store: RecordStore;
  readonly outbound: Outbound;
  readonly events: ChangeEvents;
  readonly timers: Timers;
  readonly control: Int32Array;
  readonly lane: SafeLane;
  readonly runner: ProcessorRunner;
  /** So many records have been changed. */
  readonly onChanged: (count: number) => void;
  /** The operation has had its effect; its own record stands as `record`, or ABSENT. */
  readonly remember: (request: Int32Array, at: number, record: number) => void;
}

/**
 * Executes EXECUTE operations on several records of one partition: the store publishes all changes by
 * one word. The answer is about the operation's own record. The events of the others may need more room
 * than one operation is sure of: they are told one change after the other, and until all are, nothing
 * else may be written (`isTelling`).
 */
export class GroupExecutor {
  readonly #options: GroupExecutorOptions;
  readonly #group: RecordGroup = new RecordGroup();
  readonly #write: UpdateRequest;
  /** The next change to tell. */
  #told = 0;
  isTelling = false;
  /** A sentence on why the last one was not made; empty: there is none. */
  reason = '';

  constructor(options: GroupExecutorOptions) {
    this.#options = options;
    this.#write = new UpdateRequest(options.runner);
  }

  /** Returns 0, or why nothing was done; FOUND: since the processor wants it so. */
  apply(request: Int32Array, at: number, position: number, partition: number): Code {
    const { runner, store } = this.#options;
    const group = this.#group;
    this.reason = '';
    if (!group.read(request, at)) {
      this.reason = 'A group names each record once.';
      return Code.INVALID;
    }
    const given = group.keys.map((_, i) =>
      visible(group.words, group.at(i), store.words, this.#find(partition, i)),
    );
    const processed = runner.runGroup(request, at, store.words, given, group.keys);
    if (processed.kind === 'FAILED') {
      this.reason = processed.reason;
      return Code.FAILED;
    }
    if (!this.#prepare(partition, processed.changes)) {
      store.abandonGroup();
      this.#options.outbound.explainShortage(MEMORY_FULL);
      return Code.OVERLOADED;
    }
    if (store.group.count === 0) return Code.FOUND;
    store.commitGroup(position);
    this.#conclude(position, partition, request, at);
    return Code.UNSPECIFIED;
  }

  /** Answers the operation if it happened before a death; else false. */
  settle(request: Int32Array, at: number, position: number, partition: number): boolean {
    if (!this.#options.store.hasSettledGroup(position)) return false;
    this.#group.read(request, at);
    this.#conclude(position, partition, request, at);
    return true;
  }

  /** Answers once more, after as much is durable as the first answer said. False: no room for that. */
  awaitAgain(request: Int32Array, at: number, partition: number): boolean {
    const { lane, outbound } = this.#options;
    const group = this.#group;
    group.read(request, at);
    const standing = group.keys.map((_, i) => this.#find(partition, i)).filter((r) => r !== ABSENT);
    if (!lane.hasRoom(standing.length)) return false;
    for (const record of standing) outbound.waitForLane(lane.enter(partition, record));
    return true;
  }

  /** Tells the next change. REQUIRES: `isTelling`, and room for what one operation says. */
  tellNext(): void {
    const { events, store } = this.#options;
    const record = store.group.recordAt(this.#told);
    const isStanding = isVisible(this.#group.words, 0, store.words, record); // all at one time
    events.tell(record, store.group.replacedAt(this.#told), isStanding);
    this.#told++;
    this.isTelling = this.#told < store.group.count;
  }

  /** False: there is no room for all of it. */
  #prepare(partition: number, changes: readonly Processed[]): boolean {
    const { store } = this.#options;
    const group = this.#group;
    store.beginGroup();
    return changes.every((change, i) => {
      if (change.kind === 'NOTHING') return true;
      const { words } = this.#write;
      const old = this.#find(partition, i);
      this.#write.makeOf(change, group.words, group.at(i), store.words, old);
      return store.addToGroup(old, words, 0, partition, flagsOf(words, 0));
    });
  }

  /** What follows the commit; all of it may be said again after a death. */
  #conclude(position: number, partition: number, request: Int32Array, at: number): void {
    const { onChanged, remember, store, timers } = this.#options;
    const { group } = store;
    for (let i = 0; i < group.count; i++) timers.replaced(group.recordAt(i), group.replacedAt(i));
    onChanged(group.count);
    const own = this.#find(partition, 0);
    remember(request, at, own);
    this.#answer(request, at, position, partition, own);
    this.#told = 0;
    this.isTelling = true;
  }

  #answer(request: Int32Array, at: number, position: number, partition: number, own: number): void {
    const { control, lane, outbound, store } = this.#options;
    const { group } = store;
    const level = isSafe(request, at) ? Level.DATABASE : Level.MEMORY;
    const last = RecordLayout.sequenceOf(store.words, group.recordAt(group.count - 1));
    const flushed = loadWatermark(control, WorkerControl.flushedIndex(partition));
    if (isSafe(request, at) && flushed < last)
      outbound.waitForLane(lane.enterAll(partition, group.count, (i) => group.recordAt(i)));
    outbound.answer(request, at, position, partition, own, Code.APPLIED, level);
  }

  /** The record that group entry `i` names, or ABSENT. */
  #find(partition: number, i: number): number {
    const { words } = this.#group;
    const at = this.#group.at(i);
    return this.#options.store.find(
      partition,
      words[at + Operation.MAP_KIND_FLAGS] >>> 16,
      words[at + Operation.HASH],
      words,
      at + Operation.KEY,
      RecordLayout.keyLengthOf(words[at + Operation.LENGTHS]),
    );
  }
}
