import { unpackStamp } from '@tidewire/core';
import type { Environment } from './environment.js';
import { fetchToken, refreshWaitMs, type TokenCallback, type TokenSource } from './token-source.js';

/**
 * Keeps one connection's token fresh. A token that cannot be had now is tried for again, until the
 * server ends the connection.
 */
export class TokenRefresh {
  readonly #source: TokenSource;
  readonly #environment: Environment;
  readonly #timeoutMs: number;
  readonly #send: (token: string) => void;
  #cancelTimer: () => void = () => {};
  #isOver = false;

  constructor(options: {
    source: TokenSource;
    environment: Environment;
    timeoutMs: number;
    send: (token: string) => void;
  }) {
    this.#source = options.source;
    this.#environment = options.environment;
    this.#timeoutMs = options.timeoutMs;
    this.#send = options.send;
  }

  /** The server has said at `clock` when the connection ends, in milliseconds since 1970; 0: never. */
  onValidUntil(validUntilMs: bigint, clock: bigint): void {
    this.#cancelTimer();
    if (this.#isOver || validUntilMs === 0n || typeof this.#source === 'string') return;
    this.#plan(this.#source, Number(validUntilMs) - unpackStamp(clock).ms);
  }

  cancel(): void {
    this.#isOver = true;
    this.#cancelTimer();
  }

  #plan(source: TokenCallback, leftMs: number): void {
    const waitMs = refreshWaitMs(leftMs);
    this.#cancelTimer = this.#environment.startTimer(
      () => void this.#refresh(source, leftMs - waitMs),
      waitMs,
    );
  }

  async #refresh(source: TokenCallback, leftMs: number): Promise<void> {
    const token = await fetchToken(source, {
      environment: this.#environment,
      timeoutMs: this.#timeoutMs,
    }).catch(() => undefined);
    if (this.#isOver) return;
    if (token === undefined) this.#plan(source, leftMs);
    else this.#send(token);
  }
}
