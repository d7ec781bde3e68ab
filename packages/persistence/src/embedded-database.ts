import { setTimeout as delay } from 'node:timers/promises';
import { RESTART_BACKOFF_MAX_MS, RESTART_BACKOFF_MIN_MS } from '@tidewire/core';
import { type EmbeddedServer, startEmbedded } from './embedded-postgres.js';
import type { DatabaseConnection } from './postgres-link.js';

/**
 * The embedded Postgres of one server process. If it ends it is started again behind the same
 * socket, as often as it takes: without it FAST writes are in memory alone, as in any outage.
 */
export class EmbeddedDatabase {
  readonly #onEnd: (reason: string) => void;
  readonly #onReturn: () => void;
  readonly #start: Promise<EmbeddedServer>;
  readonly #stopping = new AbortController();
  /** Settles when nothing will be started any more. */
  #restarts: Promise<void> | undefined;
  #server: EmbeddedServer | undefined;

  /** `onEnd`: it has ended unasked, or cannot be started again so far. `onReturn`: it runs again. */
  constructor(options: {
    dataDir: string;
    onEnd: (reason: string) => void;
    onReturn: () => void;
  }) {
    this.#onEnd = options.onEnd;
    this.#onReturn = options.onReturn;
    this.#start = startEmbedded(options.dataDir);
    this.#start.then(
      (server) => {
        this.#restarts = this.#keepRunning(server);
      },
      () => {}, // told to whoever asks for the connection
    );
  }

  /** Resolves when it runs for the first time. Rejects with a sentence. */
  async connection(): Promise<DatabaseConnection> {
    return (await this.#start).connection;
  }

  /** Ends it in order, also while it starts. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#start.catch(() => undefined);
    await this.#server?.stop();
    await this.#restarts;
  }

  async #keepRunning(first: EmbeddedServer): Promise<void> {
    for (let server: EmbeddedServer | undefined = first; server !== undefined; ) {
      this.#server = server;
      const log = await server.ended;
      if (this.#stopping.signal.aborted) return;
      this.#onEnd(log.trim().split('\n').at(-1) ?? '');
      server = await this.#startAgain(server);
      if (server !== undefined) this.#onReturn();
    }
  }

  /** Undefined if told to stop meanwhile. */
  async #startAgain(ended: EmbeddedServer): Promise<EmbeddedServer | undefined> {
    const { signal } = this.#stopping;
    for (let waitMs = RESTART_BACKOFF_MIN_MS; ; waitMs *= 2) {
      const pause = Math.min(waitMs, RESTART_BACKOFF_MAX_MS);
      await delay(pause, undefined, { signal }).catch(() => {}); // aborted
      if (signal.aborted) return undefined;
      try {
        const server = await ended.startAgain();
        if (!signal.aborted) return server;
        await server.stop();
      } catch (error) {
        // The orphans of a killed server need a moment to find out; then it is worth a line, once.
        if (pause < RESTART_BACKOFF_MAX_MS && 2 * pause >= RESTART_BACKOFF_MAX_MS)
          this.#onEnd((error as Error).message);
      }
    }
  }
}
