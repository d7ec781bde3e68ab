import { compilePredicate, type RecordTest, type SipHash, sipHash } from '@tidewire/core';
import { type EventFields, NO_RECORD, RecordLayout, STREAM_LAST } from '@tidewire/core/threads';
import { EventKind, SliceKind } from '@tidewire/schemas';
import { ABSENT, type RecordStore } from '../store/record-store.js';
import type { TurnTime } from '../turn-time.js';
import type { CatchUpEntries } from './catch-up-entries.js';
import { PartitionWalk } from './partition-walk.js';
import type { SliceDraft } from './slice-draft.js';
import { StoredRecord } from './stored-record.js';
import type { Stream } from './stream.js';
import type { MapTopic, PredicateTopic } from './topic.js';

/** What a CATCH_UP record says, and what serves it. */
export interface CatchUpOptions {
  readonly id: number;
  readonly entries: CatchUpEntries;
  readonly credit: number;
  readonly nowMs: number;
  /** Key of the hash of forgotten keys, 16 bytes. */
  readonly salt: Uint8Array;
  readonly store: RecordStore;
  readonly draft: SliceDraft;
  readonly time: TurnTime;
}

/** Records looked at in one turn: a third of a millisecond, unless a predicate takes longer. */
const VISITS_A_TURN = 256;

/**
 * Sends a subscriber what it misses of a map, or of the records of it that match: partition by
 * partition, each from its own cursor, with records as they stand in the turn that sends them.
 *
 * Of a key that does not match the subscriber of a predicate gets a hash only: who holds the key knows
 * it by that, and others cannot tell it. They could try names, though: so whoever may not see every
 * record gets a RENEWAL.
 */
export class CatchUpStream implements Stream {
  readonly id: number;
  credit: number;
  readonly heldBytes = 0;
  readonly #mapId: number;
  /** Undefined: every record is in the subscription. */
  readonly #test: RecordTest | undefined;
  readonly #entries: CatchUpEntries;
  readonly #nowMs: number;
  readonly #salt: Uint8Array;
  readonly #store: RecordStore;
  readonly #stored: StoredRecord;
  readonly #draft: SliceDraft;
  readonly #time: TurnTime;
  readonly #collectedUpTo: (partition: number) => number;
  readonly #event: EventFields = { kind: EventKind.PUT, record: ABSENT, old: NO_RECORD };
  #next = 0; // of the entries
  #walk: PartitionWalk | undefined;
  #visitsLeft = 0;

  /** Tombstones up to `collectedUpTo` of a partition may be gone. */
  constructor(
    options: CatchUpOptions & {
      topic: MapTopic | PredicateTopic;
      collectedUpTo: (partition: number) => number;
    },
  ) {
    this.id = options.id;
    this.credit = options.credit;
    const { topic } = options;
    this.#mapId = topic.mapId;
    if (topic.kind === 'predicate') this.#test = compilePredicate(topic.predicate);
    this.#entries = options.entries;
    this.#nowMs = options.nowMs;
    this.#salt = options.salt;
    this.#store = options.store;
    this.#stored = new StoredRecord(options.store.words);
    this.#draft = options.draft;
    this.#time = options.time;
    this.#collectedUpTo = options.collectedUpTo;
  }

  step(): boolean {
    this.#visitsLeft = VISITS_A_TURN;
    this.#draft.open(this.credit);
    while (this.#next < this.#entries.count && this.#visitsLeft > 0 && this.#draft.hasRoom())
      if (!this.#advance()) break;
    const isLast = this.#next === this.#entries.count;
    this.credit -= this.#draft.say(this.id, isLast ? STREAM_LAST : 0);
    return isLast;
  }

  /** Goes on with the partition under way; true once it is through. */
  #advance(): boolean {
    this.#walk ??= this.#walkOf(this.#next);
    const walk = this.#walk;
    const { partition, kind } = walk;
    this.#draft.openSlice(partition, this.#store.sequence(partition), kind, !walk.hasBegun);
    const isThrough = walk.run(this.#visit);
    const isReplaced = isThrough && this.#isCollected(walk);
    if (this.#draft.closeSlice(isThrough && !isReplaced)) walk.hasBegun = true;
    if (!isThrough) return false;
    this.#walk = undefined;
    if (isReplaced) this.#walk = new PartitionWalk(this.#store, partition, SliceKind.SNAPSHOT, 0);
    else {
      this.#draft.endPartition(partition, this.#store.sequence(partition));
      this.#next++;
    }
    return true;
  }

  #walkOf(i: number): PartitionWalk {
    const partition = this.#entries.partitionAt(i);
    const cursor = this.#entries.cursorAt(i);
    const asked = this.#entries.kindAt(i);
    const reached = this.#store.sequence(partition);
    const isCurrent = asked === SliceKind.RENEWAL && cursor === reached;
    const kind = isCurrent ? SliceKind.CHANGES : asked; // of which there are none
    const walk = new PartitionWalk(this.#store, partition, kind, cursor);
    // A cursor above what is there is of another history, such as one before a backup came back.
    const isForeign = cursor > reached;
    if (!isForeign && !this.#isCollected(walk)) return walk;
    return new PartitionWalk(this.#store, walk.partition, SliceKind.SNAPSHOT, 0);
  }

  /** Whether a tombstone that the subscriber misses may have been collected: a walk finds it no more. */
  #isCollected({ partition, kind, cursor }: PartitionWalk): boolean {
    return kind === SliceKind.CHANGES && cursor < this.#collectedUpTo(partition);
  }

  readonly #visit: (record: number) => boolean = (record) => {
    if (this.#visitsLeft === 0) return false;
    this.#visitsLeft--;
    const isNews =
      record !== ABSENT &&
      RecordLayout.mapIdOf(this.#store.words, record) === this.#mapId &&
      RecordLayout.sequenceOf(this.#store.words, record) > (this.#walk as PartitionWalk).floor;
    return !isNews || this.#take(record);
  };

  /** Says how the record stands; false: it does not fit. */
  #take(record: number): boolean {
    const event = this.#event;
    event.record = record;
    event.kind = EventKind.PUT;
    if (this.#isIn(record)) return this.#draft.add(event);
    if (this.#walk?.kind !== SliceKind.CHANGES) return true;
    if (this.#test !== undefined) return this.#draft.forget(this.#hashOf(record));
    event.kind = EventKind.REMOVE;
    return this.#draft.add(event);
  }

  #isIn(record: number): boolean {
    if (!RecordLayout.isStanding(this.#store.words, record, this.#nowMs)) return false;
    if (this.#test === undefined) return true;
    const isIn = this.#test(this.#stored.turnTo(record));
    if (this.#time.isOver()) this.#visitsLeft = 0;
    return isIn;
  }

  #hashOf(record: number): SipHash {
    const { words } = this.#store;
    const length = RecordLayout.keyLengthOf(words[record + RecordLayout.LENGTHS]);
    const key = new Uint8Array(words.buffer, RecordLayout.keyIndex(record) * 4, length);
    return sipHash(key, this.#salt);
  }
}
