import { QUERY_BYTES_MAX, sortKeyOf } from '@tidewire/core';
import {
  type EventFields,
  eventBytes,
  NO_RECORD,
  RecordLayout,
  type Row,
  STREAM_LAST,
  STREAM_TOO_LARGE,
  writeEvent,
} from '@tidewire/core/threads';
import { EventKind } from '@tidewire/schemas';
import { type RecordStore, SCAN_END } from '../store/record-store.js';
import { ScanPlace } from '../store/scan-place.js';
import type { TurnTime } from '../turn-time.js';
import type { QueryPlan } from './query-plan.js';
import type { RowsDraft } from './rows-draft.js';
import { StoredRecord } from './stored-record.js';
import type { Stream } from './stream.js';
import { bytesOf, TopRows } from './top-rows.js';

/** Records looked at in one turn: a third of a millisecond, unless a predicate takes longer. */
const VISITS_A_TURN = 256;

/**
 * Sends the records of a map that match, each once, as they stand when the scan meets them: in no
 * order, as they are found; or the first of them sorted, once all have been seen.
 */
export class RecordQuery implements Stream {
  readonly id: number;
  credit: number;
  readonly #plan: QueryPlan;
  readonly #partitions: readonly number[];
  readonly #store: RecordStore;
  readonly #recordBytes: Uint8Array;
  readonly #stored: StoredRecord;
  readonly #draft: RowsDraft;
  readonly #time: TurnTime;
  readonly #event: EventFields = { kind: EventKind.PUT, record: 0, old: NO_RECORD };
  readonly #top: TopRows;
  #next = 0; // of #partitions
  #place: ScanPlace = new ScanPlace();
  /**
   * Keys that matched in the segments up to the directory entry #metEnd: a segment that was replaced is
   * scanned again.
   */
  readonly #met: Set<string> = new Set();
  #metEnd = 0;
  #visitsLeft = 0;
  #count = 0;
  /** The rows in order, once all records have been seen, less those that have been sent. */
  #sorted: Row[] | undefined;
  #sortedBytes = 0;

  /** `partitions` are those of the worker. */
  constructor(
    plan: QueryPlan,
    options: {
      store: RecordStore;
      draft: RowsDraft;
      time: TurnTime;
      partitions: readonly number[];
    },
  ) {
    this.id = plan.stream;
    this.credit = plan.credit;
    this.#plan = plan;
    this.#top = new TopRows(plan.limit, plan.isDescending);
    this.#partitions = options.partitions;
    this.#store = options.store;
    this.#recordBytes = new Uint8Array(options.store.words.buffer);
    this.#stored = new StoredRecord(options.store.words);
    this.#draft = options.draft;
    this.#time = options.time;
  }

  get heldBytes(): number {
    return this.#top.bytes + this.#sortedBytes;
  }

  step(): boolean {
    this.#draft.open(this.credit);
    if (this.#sorted !== undefined) return this.#saySorted(this.#sorted);
    this.#visitsLeft = VISITS_A_TURN;
    const isThrough = this.#scan();
    if (this.#top.bytes > QUERY_BYTES_MAX) return this.#say(STREAM_TOO_LARGE);
    if (!isThrough) return this.#say(0);
    if (!this.#plan.isOrdered) return this.#say(STREAM_LAST);
    this.#sortedBytes = this.#top.bytes;
    this.#sorted = this.#top.drain();
    return false;
  }

  /** True once all partitions are through. */
  #scan(): boolean {
    for (; this.#next < this.#partitions.length; this.#next++) {
      if (!this.#scanPartition(this.#partitions[this.#next])) return false;
      this.#place = new ScanPlace();
    }
    return true;
  }

  #scanPartition(partition: number): boolean {
    const place = this.#place;
    while (place.entry !== SCAN_END) {
      if (!this.#mayLook() || !this.#store.scanFrom(partition, place, this.#visit)) return false;
      if (place.entry >= this.#metEnd) this.#met.clear();
    }
    return true;
  }

  /** Counts one piece of the turn's work; false: the turn is over. */
  #mayLook(): boolean {
    return this.#visitsLeft-- > 0;
  }

  readonly #visit: (record: number) => boolean = (record) => {
    if (!this.#mayLook()) return false;
    const { words } = this.#store;
    const { mapId, nowMs, test } = this.#plan;
    if (RecordLayout.mapIdOf(words, record) !== mapId) return true;
    if (!RecordLayout.isStanding(words, record, nowMs)) return true;
    const stored = this.#stored.turnTo(record);
    const isIn = test === undefined || test(stored);
    if (test !== undefined && this.#time.isOver()) this.#visitsLeft = 0;
    if (!isIn || this.#met.has(stored.key)) return true;
    if (!this.#take(record)) return false;
    if (this.#met.size === 0) this.#metEnd = this.#place.segmentEnd;
    this.#met.add(stored.key);
    this.#count++;
    return this.#top.bytes <= QUERY_BYTES_MAX;
  };

  /** Takes a record that matches into the answer; false: it does not fit into this turn's. */
  #take(record: number): boolean {
    this.#event.record = record;
    if (this.#plan.isCountOnly) return true;
    if (!this.#plan.isOrdered) return this.#draft.add(this.#event);
    this.#offer(record);
    return true;
  }

  #offer(record: number): void {
    const { words } = this.#store;
    const sortKey = sortKeyOf(this.#plan.orderOf(this.#stored));
    const offset = RecordLayout.keyIndex(record) * 4;
    const keyLength = RecordLayout.keyLengthOf(words[record + RecordLayout.LENGTHS]);
    const key = this.#recordBytes.slice(offset, offset + keyLength);
    if (!this.#top.takes(sortKey, key)) return;
    const event = new Uint8Array(eventBytes(this.#event, words));
    writeEvent(event, 0, this.#event, words, this.#recordBytes);
    this.#top.add({ sortKey, key, event });
  }

  /** Says what the turn has found; true if the stream ends with it. */
  #say(flags: number): boolean {
    this.credit -= this.#draft.say({ stream: this.id, flags, count: this.#count });
    return flags !== 0;
  }

  #saySorted(rows: Row[]): boolean {
    const sent = rows.splice(0, this.#draft.countOf(rows));
    const isLast = rows.length === 0;
    const head = { stream: this.id, flags: isLast ? STREAM_LAST : 0, count: this.#count };
    this.credit -= this.#draft.saySorted(head, sent);
    for (const row of sent) this.#sortedBytes -= bytesOf(row);
    return isLast;
  }
}
