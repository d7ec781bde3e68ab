import {
  COPY_RECORDS_MIN,
  DATABASE_CONNECT_MS,
  DATABASE_STATEMENT_MS,
  FENCE_HOLDER_MS,
  PARTITIONS,
  RECOVERY_GROUP_RECORDS,
} from '@tidewire/core';
import type { CollectionMark } from '@tidewire/core/threads';
import { NewRowsGuess } from './new-rows-guess.js';
import { toStoreError } from './postgres-error.js';
import {
  attempt,
  type DatabaseConnection,
  dial,
  type Link,
  leave,
  type Rows,
  within,
} from './postgres-link.js';
import { encodeRows } from './postgres-rows.js';
import { prepareSchema } from './postgres-schema.js';
import {
  BASES,
  BURY,
  baseParameters,
  COLLECTED,
  FLUSH,
  FORGET_COLLECTED,
  holdFence,
  KEEP_BASES,
  MAKE_STAGE,
  MERGE_STAGE,
  markParameters,
  PARTITION_NUMBERS,
  RAISE_COLLECTED,
  RECOVER,
  recordParameters,
  STAGE,
} from './postgres-statement.js';
import { CopyRefusedError, Transaction } from './postgres-transaction.js';
import {
  type Opening,
  type PartitionFacts,
  type PartitionNumber,
  type Store,
  type StoredRecord,
  StoreError,
} from './store.js';

/** The advisory lock of whoever writes, one a database. The number says "tide" in ASCII. */
const LOCK = 0x74696465;

/**
 * The store on Postgres.
 *
 * The fence row names the epoch of the process that may write, and the number of its connection.
 * A connection that is lost is never used again: a new one takes the next number first, so that a
 * statement still under way on the old one either commits before or finds no fence.
 */
export class PostgresStore implements Store {
  readonly #connection: DatabaseConnection;
  readonly #holderMs: number;
  readonly #guess: NewRowsGuess = new NewRowsGuess();
  #epoch: number;
  #number = 0;
  #link: Link | undefined;
  #renewal: Promise<Link> | undefined;
  #fenced = false;

  constructor(
    connection: DatabaseConnection,
    options: {
      /** How long a take-over waits for a statement that holds the fence. */
      holderMs?: number;
      /** Opened by another store of this process, in the place of which this one writes on. */
      epoch?: number | undefined;
    } = {},
  ) {
    this.#connection = connection;
    this.#holderMs = options.holderMs ?? FENCE_HOLDER_MS;
    this.#epoch = options.epoch ?? 0;
  }

  async open(options: { takeOver: boolean }): Promise<Opening> {
    let store = 0n;
    await this.#establish(async (link) => {
      store = await this.#take(link, options.takeOver);
    });
    return { epoch: this.#epoch, store };
  }

  async recover(onRecords: (records: StoredRecord[]) => Promise<void>): Promise<PartitionFacts> {
    const link = await this.#ready();
    const groups = link.sql<StoredRecord[]>`${link.sql.unsafe(RECOVER)}`.cursor(
      RECOVERY_GROUP_RECORDS,
    );
    const iterator = groups[Symbol.asyncIterator]();
    try {
      for (;;) {
        const group = await attempt(link, iterator.next());
        if (group.done === true) break;
        await onRecords(group.value);
      }
    } catch (error) {
      link.lost = true; // the cursor is still open on it
      throw error;
    }
    return await attempt(link, this.#facts(link));
  }

  async #facts({ sql }: Link): Promise<PartitionFacts> {
    const [sequences, bases, collected] = await Promise.all([
      sql.unsafe<PartitionNumber[]>(PARTITION_NUMBERS),
      sql.unsafe<(PartitionNumber & { epoch: number })[]>(BASES, [this.#epoch]),
      sql.unsafe<CollectionMark[]>(COLLECTED),
    ]);
    return { sequences, bases: byEpoch(bases), collected };
  }

  /** Few records go in one statement, which is the quickest answer; many by COPY, the least work. */
  async flush(records: readonly StoredRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (records.length >= COPY_RECORDS_MIN && (await this.#copy(records))) return;
    await this.#write(FLUSH, recordParameters(records));
  }

  async bury(record: StoredRecord, reason: string): Promise<void> {
    await this.#write(BURY, [...recordParameters([record]), reason]);
  }

  async keepBases(bases: readonly PartitionNumber[]): Promise<void> {
    if (bases.length > 0) await this.#write(KEEP_BASES, baseParameters(bases));
  }

  async raiseCollected(marks: readonly CollectionMark[]): Promise<void> {
    if (marks.length > 0) await this.#write(RAISE_COLLECTED, markParameters(marks));
  }

  async forgetCollected(rowsMax: number): Promise<number> {
    const [{ forgotten }] = await this.#write(FORGET_COLLECTED, [String(rowsMax)]);
    return Number(forgotten);
  }

  async probe(): Promise<void> {
    await this.#write(
      'SELECT 1 FROM tidewire.fence WHERE epoch = $1::int8 AND connection = $2::int8',
      [],
    );
  }

  async close(): Promise<void> {
    if (this.#renewal !== undefined && this.#link !== undefined) this.#link.lost = true;
    if (this.#link !== undefined) await leave(this.#link);
  }

  /** Runs a statement that takes the fence as $1 and $2 and answers a row if it held. */
  async #write(text: string, parameters: string[]): Promise<Rows> {
    const link = await this.#ready();
    const number = this.#number;
    const query = link.sql.unsafe(text, [this.#epoch, number, ...parameters], { prepare: true });
    const rows = await attempt(link, query);
    if (rows.length === 0) throw this.#lostFence(number);
    return rows;
  }

  /** False if the server does not take them so. */
  async #copy(records: readonly StoredRecord[]): Promise<boolean> {
    const rows = encodeRows(records);
    if (this.#guess.areNew()) {
      if (await this.#transact((transaction) => transaction.copy('tidewire.record', rows))) {
        this.#guess.onRight();
        return true;
      }
      this.#guess.onWrong();
    }
    return await this.#transact((transaction) => mergeRows(transaction, rows));
  }

  /** Does `work` while it holds the fence. False, and nothing has changed, if a COPY was refused. */
  async #transact(work: (transaction: Transaction) => Promise<void>): Promise<boolean> {
    const link = await this.#ready();
    const number = this.#number;
    const transacted = Transaction.run(
      link,
      holdFence(this.#epoch, number),
      async (transaction, fence) => {
        if (fence.length === 0) return 'FENCED';
        await work(transaction);
        return 'DONE';
      },
    );
    const outcome = await attempt(link, transacted.catch(refusalOf));
    if (outcome === 'FENCED') throw this.#lostFence(number);
    return outcome === 'DONE';
  }

  /** What a write says that has found the fence changed. */
  #lostFence(number: number): StoreError {
    if (number === this.#number) return this.#fence();
    return new StoreError('UNAVAILABLE', 'The connection was given up during a statement.');
  }

  async #ready(): Promise<Link> {
    if (this.#fenced) throw this.#fence();
    if (this.#renewal === undefined && this.#link?.lost === false) return this.#link;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return await this.#renewal;
  }

  async #renew(): Promise<Link> {
    if (this.#link !== undefined) void leave(this.#link);
    return await this.#establish((link) => this.#resume(link));
  }

  /** Connects anew; `claim` makes the new connections the only ones that may write. */
  async #establish(claim: (link: Link) => Promise<void>): Promise<Link> {
    const link = dial(this.#connection);
    this.#link = link;
    try {
      await within(DATABASE_STATEMENT_MS, claim(link));
    } catch (error) {
      link.lost = true;
      void leave(link);
      throw toStoreError(error);
    }
    return link;
  }

  /** The first connections of a process: lock, tables, epoch. Returns the store's number. */
  async #take(link: Link, takeOver: boolean): Promise<bigint> {
    const isLocked = await tryLock(link);
    if (!isLocked && !takeOver)
      throw new StoreError(
        'LOCKED',
        'Another Tidewire writes to this database; stop it, or take over with --take-over.',
      );
    const store = await prepareSchema((text) => link.lock.unsafe(text));
    const [fence] = await this.#raise(
      link,
      'UPDATE tidewire.fence SET epoch = epoch + 1, connection = 0 RETURNING epoch::float8',
    );
    this.#epoch = Number(fence['epoch']);
    if (!isLocked) await this.#seizeLock(link);
    return store;
  }

  /** Connections in place of lost ones. The fence comes first: who is fenced takes no lock. */
  async #resume(link: Link): Promise<void> {
    const [fence] = await this.#raise(
      link,
      `UPDATE tidewire.fence SET connection = connection + 1 WHERE epoch = ${this.#epoch}
        RETURNING connection::float8`,
    );
    if (fence === undefined) throw this.#fence();
    this.#number = Number(fence['connection']);
    if (!(await tryLock(link)))
      throw new StoreError('UNAVAILABLE', 'The lock of the earlier connection still stands.');
  }

  /** Updates the fence, waiting for statements that hold it and ending those that take too long. */
  async #raise(link: Link, update: string): Promise<Rows> {
    const ask = 'SELECT pg_backend_pid() AS pid';
    return await Transaction.run(link, ask, async (transaction, [{ pid }]) => {
      const timer = setTimeout(() => {
        link.lock`SELECT pg_terminate_backend(holder)
          FROM unnest(pg_blocking_pids(${pid})) AS holder`.catch(() => {
          link.lost = true;
        });
      }, this.#holderMs);
      try {
        return await transaction.statement(update);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** Ends whoever holds the lock. The fence is raised: it finds out when it comes back. */
  async #seizeLock(link: Link): Promise<void> {
    await link.lock`
      SELECT pg_terminate_backend(pid, ${DATABASE_CONNECT_MS}) FROM pg_locks
      WHERE locktype = 'advisory' AND classid = 0 AND objid = ${LOCK} AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
    if (!(await tryLock(link)))
      throw new StoreError('LOCKED', 'The process that writes to this database cannot be ended.');
  }

  #fence(): StoreError {
    this.#fenced = true;
    return new StoreError('FENCED', 'Another Tidewire has taken this database over.');
  }
}

async function mergeRows(transaction: Transaction, rows: Buffer): Promise<void> {
  await transaction.statement(MAKE_STAGE);
  await transaction.copy(STAGE, rows);
  await transaction.statement(MERGE_STAGE);
}

function refusalOf(error: unknown): 'REFUSED' {
  if (error instanceof CopyRefusedError) return 'REFUSED';
  throw error;
}

function byEpoch(
  rows: readonly (PartitionNumber & { epoch: number })[],
): ReadonlyMap<number, Float64Array> {
  const bases = new Map<number, Float64Array>();
  for (const { epoch, partition, sequence } of rows) {
    const sequences = bases.get(epoch) ?? new Float64Array(PARTITIONS);
    sequences[partition] = sequence;
    bases.set(epoch, sequences);
  }
  return bases;
}

async function tryLock(link: Link): Promise<boolean> {
  const [row] = await link.lock<{ locked: boolean }[]>`
    SELECT pg_try_advisory_lock(${LOCK}::int8) AS locked`;
  return row.locked;
}
