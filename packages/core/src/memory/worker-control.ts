import { LANE_ENTRIES } from '../limits.js';
import { PARTITIONS } from '../partition-hash.js';

/**
 * The words that a worker shares with the threads around it, beside its rings. One writer a word;
 * the writers' words lie on different cache lines.
 */

// Writer: the thread that owns the pool.
/** Not 0: finish the turn and end. */
export const STOP = 0;
/** 1: the operation at the head of the request ring has ended two workers and is to be skipped. */
export const POISONED = 1;
/** 1: nothing keeps what is changed beyond memory. Stored before the worker runs. */
export const NO_STORE = 2;

// Writer: persistence.
/** Number of the newest pull; a worker serves it once, see PULL_SERVED. */
export const PULL_REQUESTED = 32;
/** Most records of that pull; stored before it, and raised until the worker begins it. */
export const PULL_RECORDS = 33;
/**
 * The worker begins the pull once so many SAFE references wait to be handed over; 0: at once. Stored
 * before PULL_REQUESTED, and lowered until the worker begins it.
 */
export const PULL_LANE = 39;
/** Raised after a failed batch: whatever was handed over and not flushed is dirty again. */
export const ATTEMPT = 34;
/** The worker rings persistence once CHANGES has reached this (by wrap-around distance). */
export const WAKE_AT_CHANGES = 35;
/** SAFE lane position up to which everything is in the database. */
export const LANE_FLUSHED = 36;
/** Of CHANGES, those that the database has; what lies between is in memory alone. */
export const CHANGES_FLUSHED = 37;
/** Of CHANGES, the first so many are all in the database: how old may be what is not. */
export const CHANGES_WHOLE = 40;
/** GC_PROPOSED, copied once the marks of that number are committed (see collection-mark.ts). */
export const GC_COMMITTED = 38;

// Writer: worker.
/** Grows by one a turn. */
export const HEARTBEAT = 64;
/** Changes made, wrapping; stored once a turn. */
export const CHANGES = 65;
export const PULL_SERVED = 66;
/** Position behind the last reference in the SAFE lane; one a waiting write, wrapping. */
export const LANE_TAIL = 67;
/** CHANGES less the changes that were still to be handed over when the last batch ended. */
export const CHANGES_HANDED = 68;
/** Records of recovery put into the store, wrapping. */
export const RECOVERED = 69;
/** Records in the store, tombstones included. */
export const RECORDS = 70;
/** Spans of 64 KiB that the store uses. */
export const SPANS = 71;
/** Number of the newest proposal to collect tombstones, wrapping; its marks are stored before it. */
export const GC_PROPOSED = 84;
/** Marks of that proposal. */
export const GC_MARK_COUNT = 85;
/** GC_COMMITTED, copied once the worker's own marks have been raised by that proposal. */
export const GC_COLLECTED = 86;
/** Catch-ups and queries under way. */
export const STREAMS = 72;
/** Topics told, by kind. */
export const TOPICS_MAP = 73;
export const TOPICS_KEY = 74;
export const TOPICS_PREDICATE = 75;
/** Predicates that are tried at every change of their map; stored once a turn, as are the next two. */
export const PREDICATES_LINEAR = 76;
/** Predicates that changes have found since the worker's start, two words (see watermark.ts). */
export const PREDICATES_FOUND = 88;
/** Of those, the ones that the changes concerned, two words. */
export const PREDICATES_CONCERNED = 90;
/** 1 while an operation is executed: a death is that operation's doing. */
export const IS_EXECUTING = 80;
/** Operations executed, or skipped, and given back to their ring, wrapping. */
export const OPERATIONS = 81;

// Doorbells: one word, any thread rings.
export const WORKER_DOORBELL = 96;

/** Flushed sequence of each partition, two words each (see watermark.ts). Writer: persistence. */
export const FLUSHED = 128;

/** SAFE lane: references to waiting writes. Writer: worker. */
export const LANE: number = FLUSHED + 2 * PARTITIONS + 2;
export const LANE_ENTRY_WORDS = 4;
// Entry words: partition, index hash, sequence low, sequence high.

/** Marks of the newest proposal, at most one a partition (see collection-mark.ts). Writer: worker. */
export const GC_MARKS: number = LANE + LANE_ENTRIES * LANE_ENTRY_WORDS;
export const GC_MARK_WORDS = 6;
// Mark words: partition, sequence low, sequence high, stamp ms low, ms high | counter, node.

export const CONTROL_WORDS: number = GC_MARKS + PARTITIONS * GC_MARK_WORDS;

export function laneIndex(position: number): number {
  return LANE + (position & (LANE_ENTRIES - 1)) * LANE_ENTRY_WORDS;
}

export function flushedIndex(partition: number): number {
  return FLUSHED + 2 * partition;
}
