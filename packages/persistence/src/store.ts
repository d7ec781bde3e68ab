import type { CollectionMark } from '@tidewire/core/threads';

/** A record as the table keeps it; see docs/formats/table.md. */
export interface StoredRecord {
  readonly map: string;
  readonly key: string;
  readonly value: Uint8Array;
  /** ValueKind of the wire; 32 more: a presence record. */
  readonly kind: number;
  /** Stamp: milliseconds, counter, node. */
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
  readonly partition: number;
  readonly sequence: number;
  /** Milliseconds since 1970; 0: never. */
  readonly expiresAt: number;
  readonly deleted: boolean;
}

/** A number of one partition. */
export interface PartitionNumber {
  readonly partition: number;
  readonly sequence: number;
}

/** What `open` found. */
export interface Opening {
  /** Of this process. */
  readonly epoch: number;
  /** The store's own random number, 63 bits. */
  readonly store: bigint;
}

/** What a store knows of its partitions beside the records. */
export interface PartitionFacts {
  /** The highest sequences of all that is kept beside the records. */
  readonly sequences: readonly PartitionNumber[];
  /** What `keepBases` has kept in each of the last EPOCHS_KEPT earlier epochs, by partition; 0: nothing. */
  readonly bases: ReadonlyMap<number, Float64Array>;
  /** The highest sequence and the highest stamp of each partition's collected tombstones. */
  readonly collected: readonly CollectionMark[];
}

export type StoreErrorKind =
  /** Another process has taken the store over: this one may never write again. */
  | 'FENCED'
  /** An outage: the same call may succeed later. */
  | 'UNAVAILABLE'
  /** The store refuses a record for itself: it never takes these records together. */
  | 'REJECTED'
  /** The store fails inside: an outage, or these records meet what is damaged there. */
  | 'DAMAGED'
  /** At `open`: another process holds the store. */
  | 'LOCKED'
  /** At `open`: what is there is not Tidewire's, or is damaged. */
  | 'FOREIGN'
  /** At `open`: a newer Tidewire has written it. */
  | 'NEWER'
  /** At `open`: written with another number of partitions. */
  | 'PARTITIONS';

/** An operating error of a store. The message is a sentence for the operator. */
export class StoreError extends Error {
  override name = 'StoreError';
  readonly kind: StoreErrorKind;
  /** The store's own code, as a SQLSTATE; empty: none. Unlike the message it never quotes a record. */
  readonly code: string;

  constructor(kind: StoreErrorKind, message: string, cause?: unknown, code: string = '') {
    super(message, cause === undefined ? undefined : { cause });
    this.kind = kind;
    this.code = code;
  }
}

/**
 * What keeps the records behind the memory. One process writes at a time.
 *
 * A store needs only three abilities: replace a record where the new one is newer (by the order of
 * writes: ms, counter, node, deleted, value bytes, kind, expiry), read all records, and compare a
 * fence within each write. So a document database can stand here as well as Postgres.
 *
 * Every method rejects with StoreError and nothing else. After UNAVAILABLE the outcome of the call
 * is unknown; repeating it is harmless.
 */
export interface Store {
  /**
   * Makes this process the one that writes: takes the lock, creates what is missing, and raises the
   * epoch in the fence, so that from here on no earlier process writes. `takeOver` does so against
   * a living holder. Call once, before `recover`.
   */
  open(options: { takeOver: boolean }): Promise<Opening>;

  /**
   * Hands over every record, tombstones and expired ones included, in groups, each awaited. A buried
   * record comes beside the one of its key: the newer counts.
   */
  recover(onRecords: (records: StoredRecord[]) => Promise<void>): Promise<PartitionFacts>;

  /**
   * Writes each record unless the store has it newer; all are durable when it resolves.
   * REQUIRES: one record a (map, key), in ascending order of both.
   */
  flush(records: readonly StoredRecord[]): Promise<void>;

  /** Keeps a record that `flush` rejects, whole, so that `recover` brings it back. */
  bury(record: StoredRecord, reason: string): Promise<void>;

  /**
   * Keeps for this epoch, for each partition named, the sequence up to which all its changes are here.
   * It never falls. Forgets epochs before the last EPOCHS_KEPT earlier ones.
   */
  keepBases(bases: readonly PartitionNumber[]): Promise<void>;

  /**
   * Raises what is collected of each partition named: sequence and stamp each on its own, neither ever
   * falls. Must be known before a tombstone is forgotten.
   */
  raiseCollected(marks: readonly CollectionMark[]): Promise<void>;

  /**
   * Forgets some of the tombstones that are collected, and with each a buried record of its key that
   * is not above it in the order of writes. Returns their number: below `rowsMax` there is no more.
   */
  forgetCollected(rowsMax: number): Promise<number>;

  /** Resolves if a flush would be accepted now. */
  probe(): Promise<void>;

  /** Gives the lock back. The store is of no use afterwards. */
  close(): Promise<void>;
}
