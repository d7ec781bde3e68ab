import { KEY_WAITERS_MAX } from '@tidewire/core';

/** A key set is not read more often, however many unknown keys tokens name. */
const RELOAD_INTERVAL_MS = 10_000;

/**
 * Has a key set read again for keys that it lacked: not at every try, whether the last one went well or not,
 * and with few who wait for it, however long it takes. Strangers name unknown keys at will, and
 * whoever waits holds one of the places for tokens that are being verified.
 */
export class KeyReading {
  readonly #read: () => Promise<void>;
  readonly #nowMs: () => number;
  #startedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> = Promise.resolve();
  #isUnderWay = false;
  #waiters = 0;

  /** `nowMs`: milliseconds since 1970. */
  constructor(read: () => Promise<void>, nowMs: () => number) {
    this.#read = read;
    this.#nowMs = nowMs;
  }

  /** It is being read for another reason. */
  note(): void {
    this.#startedMs = this.#nowMs();
  }

  /**
   * Resolves when it has been read lately, and rejects as that did. False: too many wait for that already.
   */
  async again(): Promise<boolean> {
    if (!this.#isUnderWay && this.#nowMs() - this.#startedMs >= RELOAD_INTERVAL_MS) this.#begin();
    if (this.#isUnderWay && this.#waiters >= KEY_WAITERS_MAX) return false;
    this.#waiters++;
    try {
      await this.#reading;
      return true;
    } finally {
      this.#waiters--;
    }
  }

  #begin(): void {
    this.note();
    this.#isUnderWay = true;
    this.#reading = this.#read().finally(() => {
      this.#isUnderWay = false;
    });
    this.#reading.catch(() => {}); // whoever waits is told
  }
}
