import { join } from 'node:path';
import { HANG_LOOK_INTERVAL_MS } from '@tidewire/core';
import type { SharedMemory } from '@tidewire/core/threads';
import { type EmbeddedServer, startEmbedded } from './embedded-postgres.js';
import { PersistenceThread } from './persistence-thread.js';
import type { PersistenceStatus } from './status.js';

/** Where a pool's records are kept: a Postgres server, or one that is started in a folder. */
export interface PostgresStoreOptions {
  readonly url?: string;
  readonly dataDir?: string;
  /** End the process that holds the database. */
  readonly takeOver?: boolean;
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
  #embedded: EmbeddedServer | undefined;
  #thread: PersistenceThread | undefined;
  #hangTimer: NodeJS.Timeout | undefined;
  /** Undefined until the thread has told. */
  #unflushed: number | undefined;

  constructor(options: PostgresStoreOptions) {
    this.#options = options;
  }

  /** See PoolStore. `onFailure`: nothing is written behind any more. */
  async start(memory: SharedMemory, onFailure: (reason: string) => void): Promise<number> {
    const { url, dataDir = '.tidewire', takeOver = false } = this.#options;
    if (url === undefined) this.#embedded = await startEmbedded(join(dataDir, 'postgres'));
    const connection = url === undefined ? this.#embedded?.connection : { url };
    if (connection === undefined) throw new Error('There is no database.');
    this.#hangTimer = setInterval(() => this.#thread?.checkHang(), HANG_LOOK_INTERVAL_MS).unref();
    return new Promise((resolve, reject) => {
      const fail = (reason: string): void => {
        reject(new Error(reason));
        onFailure(reason);
      };
      this.#thread = new PersistenceThread({
        memory,
        connection,
        takeOver,
        onStatus: (status) => this.#onStatus(status, resolve, fail),
        onDown: (cause, isGivenUp) => {
          if (isGivenUp) fail(cause instanceof Error ? cause.message : String(cause));
        },
        nowMs: () => performance.now(),
      });
    });
  }

  async stop(): Promise<number | undefined> {
    await this.#thread?.stop(FLUSH_MS_MAX);
    clearInterval(this.#hangTimer);
    await this.#embedded?.stop();
    return this.#unflushed;
  }

  #onStatus(
    status: PersistenceStatus,
    onRecovered: (ms: number) => void,
    onFailure: (reason: string) => void,
  ): void {
    if (status.kind === 'recovered') onRecovered(status.ms + 1);
    else if (status.kind === 'stopped') this.#unflushed = status.unflushed;
    else if (status.kind === 'fenced' || status.kind === 'failed') onFailure(status.reason);
  }
}
