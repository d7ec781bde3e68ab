import {
  COPY_RECORDS_MIN,
  FENCE_HOLDER_MS,
  MERGE_RECORDS_MIN,
  PARTITIONS,
  RECOVERY_GROUP_RECORDS,
} from '@tidewire/core';
import type { CollectionMark } from '@tidewire/core/threads';
import { NewRowsGuess } from './new-rows-guess.js';
import { openStore, resumeStore } from './postgres-fence.js';
import {
  type DatabaseConnection,
  dialReader,
  type Lane,
  Link,
  type Rows,
} from './postgres-link.js';
import { encodeRows } from './postgres-rows.js';
import {
  BASES,
  BURY,
  baseParameters,
  COLLECTED,
  COPY_ALL,
  FLUSH,
  FORGET_COLLECTED,
  holdFence,
  KEEP_BASES,
  MAKE_STAGE,
  MERGE_STAGE,
  markParameters,
  PARTITION_NUMBERS,
  RAISE_COLLECTED,
  recordParameters,
  STAGE,
} from './postgres-statement.js';
import { CopyRefusedError, Transaction } from './postgres-transaction.js';
import { RowGroups } from './row-groups.js';
import {
  type Opening,
  type PartitionFacts,
  type PartitionNumber,
  type Store,
  type StoredRecord,
  StoreError,
} from './store.js';

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
    const { takeOver } = options;
    const holderMs = this.#holderMs;
    const opening = await this.#establish((link) => openStore(link, { takeOver, holderMs }));
    this.#epoch = opening.epoch;
    return opening;
  }

  async recover(onRecords: (records: StoredRecord[]) => Promise<void>): Promise<PartitionFacts> {
    const link = await this.#ready();
    const reader = dialReader(this.#connection);
    try {
      const rows = await link.attempt(reader.unsafe(COPY_ALL).readable());
      const groups = new RowGroups(rows, RECOVERY_GROUP_RECORDS);
      for (;;) {
        const group = await link.attempt(groups.next());
        if (group.length === 0) break;
        await onRecords(group);
      }
      return await link.attempt(link.use((lane) => this.#facts(lane)));
    } finally {
      await reader.end({ timeout: 0 });
    }
  }

  async #facts(lane: Lane): Promise<PartitionFacts> {
    const [sequences, bases, collected] = await Promise.all([
      lane.unsafe<PartitionNumber[]>(PARTITION_NUMBERS),
      lane.unsafe<(PartitionNumber & { epoch: number })[]>(BASES, [this.#epoch]),
      lane.unsafe<CollectionMark[]>(COLLECTED),
    ]);
    return { sequences, bases: byEpoch(bases), collected };
  }

  /** Few records go in one statement, which is the quickest answer; many by COPY, the least work. */
  async flush(records: readonly StoredRecord[]): Promise<void> {
    if (records.length === 0) return;
    if (records.length >= COPY_RECORDS_MIN && (await this.#copyNew(records))) return;
    if (records.length >= MERGE_RECORDS_MIN && (await this.#merge(records))) return;
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
    if (this.#renewal !== undefined) this.#link?.lose();
    await this.#link?.leave();
  }

  /** Runs a statement that takes the fence as $1 and $2 and answers a row if it held. */
  async #write(text: string, parameters: string[]): Promise<Rows> {
    const link = await this.#ready();
    const number = this.#number;
    const values = [this.#epoch, number, ...parameters];
    const rows = await link.attempt(
      link.use(async (lane) => await lane.unsafe(text, values, { prepare: true })),
    );
    if (rows.length === 0) throw this.#lostFence(number);
    return rows;
  }

  /** False if they are not thought to be new, or are not. */
  async #copyNew(records: readonly StoredRecord[]): Promise<boolean> {
    if (!this.#guess.areNew()) return false;
    const rows = encodeRows(records);
    const areNew = await this.#transact((transaction) => transaction.copy('tidewire.record', rows));
    if (areNew) this.#guess.onRight();
    else this.#guess.onWrong();
    return areNew;
  }

  /** False if the server does not take them so. */
  async #merge(records: readonly StoredRecord[]): Promise<boolean> {
    const rows = encodeRows(records);
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
    const outcome = await link.attempt(transacted.catch(refusalOf));
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
    if (this.#renewal === undefined && this.#link?.isLost === false) return this.#link;
    this.#renewal ??= this.#renew().finally(() => {
      this.#renewal = undefined;
    });
    return await this.#renewal;
  }

  async #renew(): Promise<Link> {
    void this.#link?.leave();
    const number = await this.#establish((link) => resumeStore(link, this.#epoch, this.#holderMs));
    if (number === undefined) throw this.#fence();
    this.#number = number;
    return this.#link as Link;
  }

  /** Connects anew; `claim` makes the new connections the only ones that may write. */
  async #establish<T>(claim: (link: Link) => Promise<T>): Promise<T> {
    const link = new Link(this.#connection);
    this.#link = link;
    try {
      return await link.attempt(claim(link));
    } catch (error) {
      link.lose();
      void link.leave();
      throw error;
    }
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
