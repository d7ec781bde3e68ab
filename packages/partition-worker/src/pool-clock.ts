import { CLOCK_BOUND_INTERVAL_MS, type HybridLogicalClock } from '@tidewire/core';
import type { PoolStore } from './pool-store.js';

/**
 * Keeps a pool's clock below a bound that its store has kept, and raises it ahead of the clock. So the
 * next start, above the bound, stamps above everything that this one ever did, whatever the machine's
 * clock says then.
 */
export class PoolClock {
  readonly #clock: HybridLogicalClock;
  readonly #store: PoolStore;
  readonly #onFault: (reason: string) => void;
  #timer: NodeJS.Timeout | undefined;
  #raising: Promise<void> = Promise.resolve();

  /** `onFault`: the bound could not be raised this time. */
  constructor(options: {
    clock: HybridLogicalClock;
    store: PoolStore;
    onFault: (reason: string) => void;
  }) {
    this.#clock = options.clock;
    this.#store = options.store;
    this.#onFault = options.onFault;
  }

  /** The clock goes on above `startMs`. Rejects if no bound can be kept: no stamp may be given out. */
  async start(startMs: number): Promise<void> {
    this.#clock.ms = Math.max(this.#clock.ms, startMs);
    await this.#raise();
    const raise = (): void => {
      this.#raising = this.#raise().catch((error: Error) => this.#onFault(error.message));
    };
    this.#timer = setInterval(raise, CLOCK_BOUND_INTERVAL_MS).unref();
  }

  /** Resolves once nothing is being kept any more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#raising;
  }

  /** Rejects with a sentence. */
  async #raise(): Promise<void> {
    try {
      this.#clock.boundMs = await this.#store.raiseClockBound(this.#clock.ms);
    } catch (cause) {
      const { message } = cause as Error;
      throw new Error(`The clock bound cannot be kept: ${message}.`, { cause });
    }
  }
}
