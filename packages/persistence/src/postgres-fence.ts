import { DATABASE_CONNECT_MS } from '@tidewire/core';
import type { Link, Rows } from './postgres-link.js';
import { prepareSchema } from './postgres-schema.js';
import { Transaction } from './postgres-transaction.js';
import { type Opening, StoreError } from './store.js';

/** The advisory lock of whoever writes, one a database. The number says "tide" in ASCII. */
const LOCK = 0x74696465;

/** The first connections of a process: lock, tables, epoch. */
export async function openStore(
  link: Link,
  options: { takeOver: boolean; holderMs: number },
): Promise<Opening> {
  const isLocked = await tryLock(link);
  if (!isLocked && !options.takeOver)
    throw new StoreError(
      'LOCKED',
      'Another Tidewire writes to this database; stop it, or take over with --take-over.',
    );
  const store = await prepareSchema((text) => link.lock.unsafe(text));
  const [fence] = await raise(
    link,
    'UPDATE tidewire.fence SET epoch = epoch + 1, connection = 0 RETURNING epoch::float8',
    options.holderMs,
  );
  if (!isLocked) await seizeLock(link);
  return { epoch: Number(fence['epoch']), store };
}

/**
 * Connections in place of lost ones. Returns their number, or undefined if the epoch is over. The fence
 * comes first: who is fenced takes no lock.
 */
export async function resumeStore(
  link: Link,
  epoch: number,
  holderMs: number,
): Promise<number | undefined> {
  const [fence] = await raise(
    link,
    `UPDATE tidewire.fence SET connection = connection + 1 WHERE epoch = ${epoch}
      RETURNING connection::float8`,
    holderMs,
  );
  if (fence === undefined) return undefined;
  if (!(await tryLock(link)))
    throw new StoreError('UNAVAILABLE', 'The lock of the earlier connection still stands.');
  return Number(fence['connection']);
}

/** Updates the fence, waiting for statements that hold it and ending those that take too long. */
async function raise(link: Link, update: string, holderMs: number): Promise<Rows> {
  const ask = 'SELECT pg_backend_pid() AS pid';
  return await Transaction.run(link, ask, async (transaction, [{ pid }]) => {
    const timer = setTimeout(() => {
      link.lock`SELECT pg_terminate_backend(holder)
        FROM unnest(pg_blocking_pids(${pid})) AS holder`.catch(() => link.lose());
    }, holderMs);
    try {
      return await transaction.statement(update);
    } finally {
      clearTimeout(timer);
    }
  });
}

async function tryLock({ lock }: Link): Promise<boolean> {
  const [row] = await lock<{ locked: boolean }[]>`
    SELECT pg_try_advisory_lock(${LOCK}::int8) AS locked`;
  return row.locked;
}

/** Ends whoever holds the lock. The fence is raised: it finds out when it comes back. */
async function seizeLock(link: Link): Promise<void> {
  await link.lock`
    SELECT pg_terminate_backend(pid, ${DATABASE_CONNECT_MS}) FROM pg_locks
    WHERE locktype = 'advisory' AND classid = 0 AND objid = ${LOCK} AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  if (!(await tryLock(link)))
    throw new StoreError('LOCKED', 'The process that writes to this database cannot be ended.');
}
