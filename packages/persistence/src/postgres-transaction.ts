import type { Lane, Link, Rows } from './postgres-link.js';
import { ROW_COLUMNS } from './postgres-rows.js';

const ABORTED = '25P02'; // in_failed_sql_transaction
const NOT_PERMITTED = '42501'; // an account that may make no temporary table

/** A COPY, or what it needs, was refused: the transaction has changed nothing. */
export class CopyRefusedError extends Error {
  override name = 'CopyRefusedError';
}

/**
 * A transaction. The driver's own kind says ROLLBACK even to a connection that is gone, and then
 * throws from a timer where nobody can catch it; so here nothing is said once the link is lost.
 */
export class Transaction {
  readonly #link: Link;
  readonly #lane: Lane;

  private constructor(link: Link, lane: Lane) {
    this.#link = link;
    this.#lane = lane;
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
    return await link.use(async (lane) => {
      const transaction = new Transaction(link, lane);
      try {
        const answers = await transaction.statement(`BEGIN; ${opening}`);
        const result = await work(transaction, answers.at(-1) as unknown as Rows);
        await transaction.#commit();
        return result;
      } catch (error) {
        await transaction.#rollBack(error);
        throw isRefusal(error) ? new CopyRefusedError('The COPY was refused.') : error;
      }
    });
  }

  async statement(text: string): Promise<Rows> {
    this.#link.requireAlive();
    return await this.#lane.unsafe(text);
  }

  /**
   * Sends rows by COPY. Whether the table has taken them is told by the next statement or the
   * commit: the driver loses an error that comes behind the last byte.
   */
  async copy(table: string, rows: Buffer): Promise<void> {
    this.#link.requireAlive();
    const columns = ROW_COLUMNS.join(', ');
    const copy = await this.#lane
      .unsafe(`COPY ${table} (${columns}) FROM STDIN (FORMAT binary)`)
      .writable();
    copy.on('error', () => {}); // told as said
    await new Promise((sent) => copy.write(rows, sent));
    copy.end();
    await new Promise(setImmediate); // the end is on its way
  }

  async #commit(): Promise<void> {
    const { command } = await this.statement('COMMIT');
    if (command !== 'COMMIT') throw new CopyRefusedError(`The commit was answered ${command}.`);
  }

  async #rollBack(cause: unknown): Promise<void> {
    if (!isOfStatement(cause)) this.#link.lose();
    if (!this.#link.isLost) await this.statement('ROLLBACK');
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
