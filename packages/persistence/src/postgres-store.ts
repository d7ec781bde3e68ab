import {
  DATABASE_CONNECT_MS,
  DATABASE_CONNECTIONS,
  DATABASE_STATEMENT_MS,
  FENCE_HOLDER_MS,
  PARTITIONS,
  RECOVERY_GROUP_RECORDS,
} from '@tidewire/core';
import postgres from 'postgres';
import { toStoreError } from './postgres-error.js';
import { prepareSchema } from './postgres-schema.js';
import {
  BASES,
  BURY,
  baseParameters,
  COLLECTED,
  FLUSH,
  KEEP_BASES,
  PARTITION_NUMBERS,
  RECOVER,
  recordParameters,
} from './postgres-statement.js';
import {
  type Collected,
  type Opening,
  type PartitionFacts,
  type PartitionNumber,
  type Store,
  type StoredRecord,
  StoreError,
} from './store.js';

/** Where the database is. A plain value, so that it can be sent to a thread. */
export type DatabaseConnection =
  | { readonly url: string }
  | {
      /** Host name, or the folder of a Unix socket. */
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly database: string;
    };

/** The advisory lock of whoever writes, one a database. The number says "tide" in ASCII. */
const LOCK = 0x74696465;
const CLOSE_SECONDS = 5;

/** The connections of one attempt to reach the server. Once one of them is lost, all are left. */
interface Link {
  /** Flushes and reads. */
  readonly sql: postgres.Sql;
  /** Holds the advisory lock. */
  readonly lock: postgres.Sql;
  lost: boolean;
}

/**
 * The store on Postgres. The only file that knows the driver.
 *
 * The fence row names the epoch of the process that may write, and the number of its connection.
 * A connection that is lost is never used again: a new one takes the next number first, so that a
 * statement still under way on the old one either commits before or finds no fence.
 */
export class PostgresStore implements Store {
  readonly #connection: DatabaseConnection;
  readonly #holderMs: number;
  #epoch = 0;
  #number = 0;
  #link: Link | undefined;
  #renewal: Promise<Link> | undefined;
  #fenced = false;

  /** `holderMs`: how long a take-over waits for a statement that holds the fence. */
  constructor(connection: DatabaseConnection, holderMs: number = FENCE_HOLDER_MS) {
    this.#connection = connection;
    this.#holderMs = holderMs;
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
        const group = await this.#attempt(link, within(DATABASE_STATEMENT_MS, iterator.next()));
        if (group.done === true) break;
        await onRecords(group.value);
      }
    } catch (error) {
      link.lost = true; // the cursor is still open on it
      throw error;
    }
    return await this.#attempt(link, this.#facts(link));
  }

  async #facts({ sql }: Link): Promise<PartitionFacts> {
    const [sequences, bases, collected] = await Promise.all([
      sql.unsafe<PartitionNumber[]>(PARTITION_NUMBERS),
      sql.unsafe<(PartitionNumber & { epoch: number })[]>(BASES, [this.#epoch]),
      sql.unsafe<Collected[]>(COLLECTED),
    ]);
    return { sequences, bases: byEpoch(bases), collected };
  }

  async flush(records: readonly StoredRecord[]): Promise<void> {
    if (records.length > 0) await this.#write(FLUSH, recordParameters(records));
  }

  async bury(record: StoredRecord, reason: string): Promise<void> {
    await this.#write(BURY, [...recordParameters([record]), reason]);
  }

  async keepBases(bases: readonly PartitionNumber[]): Promise<void> {
    if (bases.length > 0) await this.#write(KEEP_BASES, baseParameters(bases));
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
  async #write(text: string, parameters: string[]): Promise<void> {
    const link = await this.#ready();
    const number = this.#number;
    const query = link.sql.unsafe(text, [this.#epoch, number, ...parameters], { prepare: true });
    const rows = await this.#attempt(link, within(DATABASE_STATEMENT_MS, query));
    if (rows.length === 1) return;
    if (number !== this.#number)
      throw new StoreError('UNAVAILABLE', 'The connection was given up during a statement.');
    throw this.#fence();
  }

  /** Awaits a statement. A link that failed is left, unless the error was about the data. */
  async #attempt<T>(link: Link, statement: PromiseLike<T>): Promise<T> {
    try {
      return await statement;
    } catch (error) {
      const failure = toStoreError(error);
      if (failure.kind === 'UNAVAILABLE') link.lost = true;
      throw failure;
    }
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
    const link = this.#dial();
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
  async #raise(link: Link, update: string): Promise<postgres.RowList<postgres.Row[]>> {
    return await link.sql.begin(async (transaction) => {
      const [{ pid }] = await transaction<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
      const timer = setTimeout(() => {
        link.lock`SELECT pg_terminate_backend(holder)
          FROM unnest(pg_blocking_pids(${pid})) AS holder`.catch(() => {
          link.lost = true;
        });
      }, this.#holderMs);
      try {
        return await transaction.unsafe(update);
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

  #dial(): Link {
    const lose = (): void => {
      link.lost = true;
    };
    const link: Link = {
      sql: connect(this.#connection, DATABASE_CONNECTIONS, lose),
      lock: connect(this.#connection, 1, lose),
      lost: false,
    };
    return link;
  }
}

function connect(connection: DatabaseConnection, max: number, onclose: () => void): postgres.Sql {
  const options: postgres.Options<Record<string, postgres.PostgresType>> = {
    max,
    onclose,
    onnotice: () => {},
    idle_timeout: 0,
    max_lifetime: null,
    connect_timeout: DATABASE_CONNECT_MS / 1000,
    fetch_types: false,
    connection: {
      application_name: 'tidewire',
      // A server must not keep the lock of a client that vanished.
      tcp_keepalives_idle: 10,
      tcp_keepalives_interval: 5,
      tcp_keepalives_count: 3,
    },
  };
  if ('url' in connection) return postgres(connection.url, options);
  return postgres({ ...options, ...connection });
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

async function leave(link: Link): Promise<void> {
  const timeout = link.lost ? 0 : CLOSE_SECONDS;
  link.lost = true;
  await Promise.allSettled([link.sql.end({ timeout }), link.lock.end({ timeout })]);
}

/** Rejects if `statement` takes longer; nobody can tell then what became of it. */
async function within<T>(ms: number, statement: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer for ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([statement, late]);
  } finally {
    clearTimeout(timer);
  }
}
