import { join } from 'node:path';
import { HANG_LOOK_INTERVAL_MS } from '@tidewire/core';
import type { SharedMemory } from '@tidewire/core/threads';
import { ClockBound } from './clock-bound.js';
import { EmbeddedDatabase } from './embedded-database.js';
import { PersistenceThread } from './persistence-thread.js';
import type { DatabaseConnection } from './postgres-link.js';
import type { PersistenceStatus } from './status.js';

/** Where a pool's records are kept: a Postgres server, or one that is started in a folder. */
export interface PostgresStoreOptions {
  readonly url?: string;
  /** Of the clock's bound, and of the database without `url`. Default `.tidewire`. */
  readonly dataDir?: string;
  /** End the process that holds the database. */
  readonly takeOver?: boolean;
}

/** See StoreListener of the pool. */
interface PoolListener {
  onEvent(event: Extract<PersistenceStatus, { kind: 'down' | 'up' | 'buried' }>): void;
  /** Nothing is written behind any more. */
  onFailure(reason: string): void;
}

/** For the last flushes. */
const FLUSH_MS_MAX = 8000;

/** A store for `PartitionPool.start`. It is started once. */
export function postgresStore(options: PostgresStoreOptions): PostgresPoolStore {
  return new PostgresPoolStore(options);
}

/** Write-behind and recovery of a pool, in a thread of its own. */
export class PostgresPoolStore {
  readonly #options: PostgresStoreOptions;
  readonly #dataDir: string;
  readonly #clockBound: ClockBound;
  #listener: PoolListener = { onEvent: () => {}, onFailure: () => {} };
  #onRecovered: (ms: number) => void = () => {};
  #onFailure: (reason: Error) => void = () => {};
  /** Resolves with the time of the highest stored stamp, rejects with the first failure. */
  readonly #recovered: Promise<number> = new Promise((resolve, reject) => {
    this.#onRecovered = resolve;
    this.#onFailure = reject;
  });
  #hasRecovered = false;
  /** As the pool was told. */
  #isDown = false;
  #embedded: EmbeddedDatabase | undefined;
  #thread: PersistenceThread | undefined;
  #hangTimer: NodeJS.Timeout | undefined;
  /** Undefined until the thread has told. */
  #unflushed: number | undefined;

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
    this.#dataDir = options.dataDir ?? '.tidewire';
    this.#clockBound = new ClockBound({ dataDir: this.#dataDir, now: Date.now });
    this.#recovered.catch(() => {}); // past the start nobody waits for it
  }

  /** See PoolStore. */
  async start(memory: SharedMemory, listener: PoolListener): Promise<number> {
    this.#listener = listener;
    const boundMs = await this.#clockBound.read();
    const connection = await this.#connection();
    this.#thread = new PersistenceThread({
      memory,
      connection,
      takeOver: this.#options.takeOver ?? false,
      onStatus: (status) => this.#onStatus(status),
      onDown: (cause, isGivenUp) => this.#onThreadDown(cause, isGivenUp),
      nowMs: () => performance.now(),
    });
    const look = (): void => this.#thread?.checkHang();
    this.#hangTimer = setInterval(look, HANG_LOOK_INTERVAL_MS).unref();
    return Math.max(boundMs, await this.#recovered);
  }

  /** See PoolStore. */
  raiseClockBound(ms: number): Promise<number> {
    return this.#clockBound.raise(ms);
  }

  async stop(): Promise<number | undefined> {
    await this.#thread?.stop(FLUSH_MS_MAX);
    clearInterval(this.#hangTimer);
    await this.#embedded?.stop();
    return this.#unflushed;
  }

  async #connection(): Promise<DatabaseConnection> {
    const { url } = this.#options;
    if (url !== undefined) return { url };
    this.#embedded = new EmbeddedDatabase({
      dataDir: join(this.#dataDir, 'postgres'),
      onEnd: (reason) => this.#onDatabaseEnd(reason),
      onReturn: () => {}, // the thread finds out, and tells
    });
    return await this.#embedded.connection();
  }

  /** It is started again. The thread tells the outage; if that lasts this is the better reason. */
  #onDatabaseEnd(reason: string): void {
    const sentence = `The embedded database has ended: ${reason}`;
    if (!this.#hasRecovered) this.#fail(sentence);
    else if (this.#isDown) this.#tell({ kind: 'down', reason: sentence });
  }

  /** Until another one flushes again, writes are in memory alone, as in any outage. */
  #onThreadDown(cause: unknown, isGivenUp: boolean): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    if (isGivenUp) this.#fail(reason);
    else this.#tell({ kind: 'down', reason });
  }

  #onStatus(status: PersistenceStatus): void {
    switch (status.kind) {
      case 'opened':
      case 'recovering':
        return;
      case 'recovered':
        this.#hasRecovered = true;
        this.#onRecovered(status.ms + 1);
        return;
      case 'down':
      case 'up':
      case 'buried':
        this.#tell(status);
        return;
      case 'stopped':
        this.#unflushed = status.unflushed;
        return;
      case 'fenced':
      case 'failed':
        this.#fail(status.reason);
    }
  }

  #tell(event: Parameters<PoolListener['onEvent']>[0]): void {
    if (event.kind !== 'buried') this.#isDown = event.kind === 'down';
    this.#listener.onEvent(event);
  }

  #fail(reason: string): void {
    this.#onFailure(new Error(reason));
    this.#listener.onFailure(reason);
  }
}
