import type { Link, Rows } from './postgres-link.js';
import { ROW_COLUMNS } from './postgres-rows.js';

type Connection = Awaited<ReturnType<Link['sql']['reserve']>>;

const ABORTED = '25P02'; // in_failed_sql_transaction
const NOT_PERMITTED = '42501'; // an account that may make no temporary table

/** A COPY, or what it needs, was refused: the transaction has changed nothing. */
export class CopyRefusedError extends Error {
  override name = 'CopyRefusedError';
}

/**
 * A transaction on a connection of its own. The driver's own kind says ROLLBACK even to a connection
 * that is gone, and then throws from a timer where nobody can catch it; so here nothing is said to a
 * connection once its link is lost.
 */
export class Transaction {
  readonly #link: Link;
  readonly #connection: Connection;

  private constructor(link: Link, connection: Connection) {
    this.#link = link;
    this.#connection = connection;
  }

  /**
   * Runs `work` with the rows of `opening`, the transaction's first statement, and commits.
   * Rejects as the statements do, or with CopyRefusedError.
   */
  static async run<T>(
    link: Link,
    opening: string,
    work: (transaction: Transaction, rows: Rows) => Promise<T>,
  ): Promise<T> {
    const transaction = new Transaction(link, await link.sql.reserve());
    try {
      const [, rows] = (await transaction.#simple(`BEGIN; ${opening}`)) as unknown as Rows[];
      const result = await work(transaction, rows);
      await transaction.#commit();
      return result;
    } catch (error) {
      await transaction.#rollBack(error);
      throw isRefusal(error) ? new CopyRefusedError('The COPY was refused.') : error;
    }
  }

  async statement(text: string): Promise<Rows> {
    return await this.#simple(text);
  }

  /**
   * Sends rows by COPY. Whether the table has taken them is told by the next statement or the
   * commit: the driver loses an error that comes behind the last byte.
   */
  async copy(table: string, rows: Buffer): Promise<void> {
    this.#requireLink();
    const columns = ROW_COLUMNS.join(', ');
    const copy = await this.#connection
      .unsafe(`COPY ${table} (${columns}) FROM STDIN (FORMAT binary)`)
      .writable();
    copy.on('error', () => {}); // told as said
    await new Promise((sent) => copy.write(rows, sent));
    copy.end();
    await new Promise(setImmediate); // the end is on its way
  }

  async #commit(): Promise<void> {
    const { command } = await this.#simple('COMMIT');
    if (command !== 'COMMIT') throw new CopyRefusedError(`The commit was answered ${command}.`);
    this.#connection.release();
  }

  /** A connection that is gone, or may be, is left: neither told nor given back. */
  async #rollBack(cause: unknown): Promise<void> {
    if (this.#link.lost || !isOfStatement(cause)) {
      this.#link.lost = true;
      return;
    }
    await this.#simple('ROLLBACK');
    this.#connection.release();
  }

  async #simple(text: string): Promise<Rows> {
    this.#requireLink();
    return await this.#connection.unsafe(text);
  }

  #requireLink(): void {
    if (this.#link.lost) throw new Error('the connection was lost');
  }
}

/** True if the server says that a statement failed, and not the connection with it. */
function isOfStatement(error: unknown): boolean {
  if (error instanceof CopyRefusedError) return true;
  return error instanceof Error && 'severity' in error && error.severity === 'ERROR';
}

function isRefusal(error: unknown): boolean {
  if (error instanceof CopyRefusedError) return true;
  if (!(error instanceof Error) || !('code' in error)) return false;
  return error.code === ABORTED || error.code === NOT_PERMITTED;
}
