import { toStoreError } from './postgres-error.js';
import { type DatabaseConnection, dialReader, type Lane } from './postgres-link.js';
import { READ_LETTERS, REQUEUE_LETTER } from './postgres-statement.js';
import { StoreError } from './store.js';

/** How long a statement waits for those of the server, and how often before it is given up. */
const LOCK_MS = 2000;
const LOCK_ATTEMPTS = 5;

const LOCK_NOT_AVAILABLE = '55P03';

/** Letters read with one statement. */
const PAGE_LETTERS = 100;

/** A record that the table refused, as it is kept. */
export interface DeadLetter {
  readonly map: string;
  readonly key: string;
  readonly value: Uint8Array;
  /** ValueKind of the wire; 32 more: a presence record. */
  readonly kind: number;
  /** Stamp: milliseconds, counter, node. */
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
  readonly deleted: boolean;
  /** What the database said. */
  readonly reason: string;
  readonly refusedAt: Date;
  /** The table has a newer record of the key by now. */
  readonly isSuperseded: boolean;
}

/**
 * What became of a letter: the table has taken it, or had a newer record, so that the letter was of no use;
 * or somebody else was quicker.
 */
export type Requeued = 'WRITTEN' | 'SUPERSEDED' | 'GONE';

/**
 * The records that a database has refused for themselves, for the operator who has removed the cause. May
 * be used beside a running server, which has these records in memory.
 */
export class DeadLetters {
  readonly #lane: Lane;

  /** Connects when used. */
  constructor(connection: DatabaseConnection) {
    this.#lane = dialReader(connection);
  }

  /** All letters, or those of a map, or of a key of it; ascending by both. Rejects with StoreError. */
  async *read(filter: { map?: string; key?: string } = {}): AsyncGenerator<DeadLetter> {
    const { map = null, key = null } = filter;
    for (let last = { map: '', key: '' }; ; ) {
      const parameters = [last.map, last.key, map, key, PAGE_LETTERS];
      const page = await this.#ask<DeadLetter>(READ_LETTERS, parameters);
      yield* page;
      const end = page.at(-1);
      if (end === undefined || page.length < PAGE_LETTERS) return;
      last = end;
    }
  }

  /**
   * Writes a letter into the table, unless that has a newer record, and removes it. It waits some seconds
   * for statements of the server that are under way. Rejects with StoreError: REJECTED if the table
   * refuses it still, UNAVAILABLE if the server let nobody in; the letter stays.
   */
  async requeue({ map, key }: Pick<DeadLetter, 'map' | 'key'>): Promise<Requeued> {
    await this.#ask(`SET lock_timeout = ${LOCK_MS}`, []);
    const [{ letters, written }] = await this.#requeue(map, key, LOCK_ATTEMPTS);
    if (letters === 0) return 'GONE';
    return written === 0 ? 'SUPERSEDED' : 'WRITTEN';
  }

  /** Each attempt makes way for what has queued behind it. */
  async #requeue(
    map: string,
    key: string,
    attempts: number,
  ): Promise<readonly { letters: number; written: number }[]> {
    try {
      return await this.#ask(REQUEUE_LETTER, [map, key]);
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== LOCK_NOT_AVAILABLE) throw error;
      if (attempts > 1) return await this.#requeue(map, key, attempts - 1);
      const waited = (LOCK_ATTEMPTS * LOCK_MS) / 1000;
      throw new StoreError(
        'UNAVAILABLE',
        `Statements of the server have held the database for ${waited} s; try again later.`,
        error,
      );
    }
  }

  async close(): Promise<void> {
    await this.#lane.end({ timeout: 0 });
  }

  async #ask<Row>(text: string, parameters: (string | number | null)[]): Promise<readonly Row[]> {
    try {
      return (await this.#lane.unsafe(text, parameters)) as unknown as readonly Row[];
    } catch (error) {
      if (isMissing(error))
        throw new StoreError('FOREIGN', 'The database has no tables of Tidewire.', error);
      throw toStoreError(error);
    }
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === '42P01'; // undefined_table
}
