import { compilePredicate, decodePredicate, PRESENCE_GRACE_MS, partitionOf } from '@tidewire/core';
import { EndPresenceRequest, RecordLayout } from '@tidewire/core/threads';
import type { ChangeEvents } from '../change-events.js';
import type { Outbound } from '../outbound.js';
import { StoredRecord } from '../query/stored-record.js';
import { ABSENT, FULL, type RecordStore } from '../store/record-store.js';
import { Timers } from './timers.js';

/** Entries looked at in one turn: a quarter of a millisecond and their events. */
const LOOKS_A_TURN = 64;
/** A tombstone that finds no room is tried again so much later. */
const RETRY_MS = 1000;

/**
 * Ends lifetimes: writes a tombstone over each record that has expired, and over presence records that
 * came back with the database and not with their client. A change as any other, but with the stamp of
 * the record that ends, and exactly once: the intent names it until its events are said.
 */
export class Sweeper {
  readonly timers: Timers;
  /** Records ended so far, wrapping. */
  changes = 0;
  readonly #store: RecordStore;
  readonly #events: ChangeEvents;
  readonly #outbound: Outbound;
  /** The gateway's time. Until it is known nothing ends. */
  #nowMs: number = Number.NEGATIVE_INFINITY;
  /** The sweep at which an earlier worker may have died has been told. */
  #isConcluded = false;

  constructor(options: {
    store: RecordStore;
    events: ChangeEvents;
    outbound: Outbound;
    partitions: readonly number[];
  }) {
    this.timers = new Timers(options.store, options.partitions);
    this.#store = options.store;
    this.#events = options.events;
    this.#outbound = options.outbound;
  }

  onTick(nowMs: number): void {
    this.#nowMs = nowMs;
    if (this.timers.graceEndMs === 0) this.timers.graceEndMs = nowMs + PRESENCE_GRACE_MS;
  }

  hasWork(): boolean {
    return this.timers.isScanning || this.#isDue();
  }

  /**
   * Tells the sweep at which an earlier worker has died, before anything else is written. False: there
   * is no room to.
   */
  conclude(): boolean {
    if (this.#isConcluded) return true;
    if (!this.#outbound.hasRoom()) return false;
    const record = this.#store.swept();
    if (record !== ABSENT) this.#tell(record, this.#store.settledOld);
    this.#isConcluded = true;
    return true;
  }

  /** Executes the END_PRESENCE at `at`: nothing, where another write has come since. */
  endPresence(request: Int32Array, at: number): void {
    const hash = request[at + EndPresenceRequest.HASH];
    const keyLength = request[at + EndPresenceRequest.KEY_LENGTH];
    const record = this.#store.find(
      partitionOf(hash),
      request[at + EndPresenceRequest.MAP],
      hash,
      request,
      at + EndPresenceRequest.KEY,
      keyLength,
    );
    if (record === ABSENT || !isPresenceOf(request, at, this.#store.words, record)) return;
    if (!this.#mayEnd(request, at, record) || this.#sweep(record)) return;
    this.#store.markLeft(record);
    this.timers.meet(record);
  }

  /** Whether the client could have written over the record: else it is of another one of that node. */
  #mayEnd(request: Int32Array, at: number, record: number): boolean {
    const length = request[at + EndPresenceRequest.PREDICATE_LENGTH];
    if (length === 0) return true;
    const bytes = new Uint8Array(request.buffer, rowsAt(request, at) * 4, length).slice();
    const passes = compilePredicate(decodePredicate(bytes));
    return passes(new StoredRecord(this.#store.words).turnTo(record));
  }

  /** One bounded turn. Returns the work done. REQUIRES: `conclude` has returned true. */
  doWork(): number {
    let looks = 0;
    for (; looks < LOOKS_A_TURN && this.#isDue(); looks++) {
      const record = this.timers.takeDue(this.#nowMs);
      if (record === ABSENT || this.#sweep(record)) continue;
      this.timers.postpone(record, this.#nowMs + RETRY_MS);
    }
    if (looks > 0) this.#outbound.ring();
    return looks + this.timers.scan();
  }

  #isDue(): boolean {
    return this.timers.isDue(this.#nowMs) && this.#outbound.hasRoom();
  }

  /** False: there is no room for a tombstone. */
  #sweep(record: number): boolean {
    const tombstone = this.#store.sweep(this.#store.findAgain(record));
    if (tombstone === FULL) return false;
    this.changes = (this.changes + 1) | 0;
    this.#tell(tombstone, record);
    return true;
  }

  /** Once the events are visible a death needs not make them said again. */
  #tell(tombstone: number, old: number): void {
    this.#events.tell(tombstone, old, false);
    this.#outbound.commit();
    this.#store.concludeSweep();
  }
}

function rowsAt(request: Int32Array, at: number): number {
  const keyLength = request[at + EndPresenceRequest.KEY_LENGTH];
  return at + EndPresenceRequest.KEY + RecordLayout.wordsOf(keyLength);
}

/** Whether the record is a presence put of the same client, that one or an earlier one. */
function isPresenceOf(request: Int32Array, at: number, words: Int32Array, record: number): boolean {
  if (!RecordLayout.isPresence(words, record)) return false;
  if (RecordLayout.nodeOf(words, record) !== request[at + EndPresenceRequest.NODE]) return false;
  const highs = request[at + EndPresenceRequest.MS_HIGH_COUNTER];
  const ms = RecordLayout.joinWords(request[at + EndPresenceRequest.MS_LOW], highs >>> 16);
  const order =
    RecordLayout.stampMsOf(words, record) - ms ||
    RecordLayout.stampCounterOf(words, record) - (highs & 0xffff);
  return order <= 0;
}
