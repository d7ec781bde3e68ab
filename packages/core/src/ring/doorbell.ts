const AWAKE = 0;
const ASLEEP = 1;

/**
 * Wakes a thread that sleeps for want of work. One word: the sleeper announces itself, looks once
 * more for work, and only then waits; a ringer publishes its work first and then looks at the word.
 * Sequentially consistent stores make it impossible for both to miss each other (Dekker's argument).
 * Any number of threads may ring one doorbell.
 */
export class Doorbell {
  readonly #words: Int32Array;
  readonly #index: number;
  #sleeps = 0;

  constructor(words: Int32Array, index: number) {
    this.#words = words;
    this.#index = index;
  }

  /** Wakes the owner if it sleeps. Call after the work is visible, once a batch. */
  ring(): void {
    if (Atomics.load(this.#words, this.#index) === AWAKE) return;
    if (Atomics.compareExchange(this.#words, this.#index, ASLEEP, AWAKE) === ASLEEP)
      Atomics.notify(this.#words, this.#index);
  }

  /** Blocks until rung or `timeoutMs` passed, unless `hasWork` finds some. For workers only. */
  sleep(hasWork: () => boolean, timeoutMs: number): void {
    Atomics.store(this.#words, this.#index, ASLEEP);
    if (!hasWork()) Atomics.wait(this.#words, this.#index, ASLEEP, timeoutMs);
    Atomics.store(this.#words, this.#index, AWAKE);
  }

  /**
   * As `sleep`, for a thread with an event loop. Only the latest wait may say that its owner is
   * awake: an earlier one may continue when the owner has already gone to sleep again.
   */
  async sleepAsync(hasWork: () => boolean, timeoutMs: number): Promise<void> {
    Atomics.store(this.#words, this.#index, ASLEEP);
    if (hasWork()) {
      Atomics.store(this.#words, this.#index, AWAKE);
      return;
    }
    const sleep = ++this.#sleeps;
    const wait = Atomics.waitAsync(this.#words, this.#index, ASLEEP, timeoutMs);
    if (wait.async && (await wait.value) === 'timed-out' && sleep === this.#sleeps)
      Atomics.store(this.#words, this.#index, AWAKE);
  }
}
