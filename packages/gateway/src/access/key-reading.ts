import { KEY_WAITERS_MAX } from '@tidewire/core';

/** A key set is not read more often, however many unknown keys tokens name. */
const RELOAD_INTERVAL_MS = 10_000;

/** Keys are not trusted longer without looking: they may have been withdrawn. */
const AGE_MS_MAX = 600_000;

/**
 * A key set and its reading: when it is needed, when it is old, and again for keys that it lacked: not at every try,
 * whether the last one went well or not, and with few who wait for it, however long it takes. Strangers
 * name unknown keys at will, and whoever waits holds one of the places for tokens that are being verified.
 */
export class KeyReading<T> {
  readonly #read: () => Promise<T>;
  readonly #nowMs: () => number;
  readonly #staleMsMax: number;
  #known: T | undefined;
  #knownAtMs = Number.NEGATIVE_INFINITY;
  #startedMs = Number.NEGATIVE_INFINITY;
  #reading: Promise<void> = Promise.resolve();
  #isUnderWay = false;
  #hasFailed = false;
  #waiters = 0;

  /** `staleMsMax`: so old may a set be that cannot be read again. `nowMs`: milliseconds since 1970. */
  constructor(options: { read: () => Promise<T>; nowMs: () => number; staleMsMax: number }) {
    this.#read = options.read;
    this.#nowMs = options.nowMs;
    this.#staleMsMax = options.staleMsMax;
  }

  /** The set as it was read last; undefined: it cannot be had at the moment. Rejects as its first reading. */
  async current(): Promise<T | undefined> {
    if (this.#ageMs() >= AGE_MS_MAX) {
      if (this.#hasFailedLately()) this.#maybeBegin();
      else await this.again().catch((error) => this.#goOn(error));
    }
    return this.#ageMs() < this.#staleMsMax ? this.#known : undefined;
  }

  /**
   * Resolves when it has been read lately, and rejects as that did. False: too many wait for that already.
   */
  async again(): Promise<boolean> {
    this.#maybeBegin();
    if (this.#isUnderWay && this.#waiters >= KEY_WAITERS_MAX) return false;
    this.#waiters++;
    try {
      await this.#reading;
      return true;
    } finally {
      this.#waiters--;
    }
  }

  #ageMs(): number {
    return this.#nowMs() - this.#knownAtMs;
  }

  /** Then nobody who has keys waits for the next reading, which may be as long in vain. */
  #hasFailedLately(): boolean {
    const isRecent = this.#nowMs() - this.#startedMs < AGE_MS_MAX;
    return this.#known !== undefined && this.#hasFailed && isRecent;
  }

  /** An old set is better than none. */
  #goOn(error: unknown): void {
    if (this.#known === undefined) throw error;
  }

  #maybeBegin(): void {
    if (this.#isUnderWay || this.#nowMs() - this.#startedMs < RELOAD_INTERVAL_MS) return;
    this.#startedMs = this.#nowMs();
    this.#isUnderWay = true;
    this.#reading = this.#finish();
    this.#reading.catch(() => {}); // whoever waits is told
  }

  async #finish(): Promise<void> {
    try {
      const startedMs = this.#startedMs;
      this.#known = await this.#read();
      this.#knownAtMs = startedMs;
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    } finally {
      this.#isUnderWay = false;
    }
  }
}
