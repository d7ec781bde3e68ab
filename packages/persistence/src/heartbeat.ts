import { PERSISTENCE_BEAT_MS } from '@tidewire/core';
import {
  loadWord,
  PERSISTENCE_HEARTBEAT,
  type SharedMemory,
  storeWord,
} from '@tidewire/core/threads';

/** How the persistence thread tells its owner that it does not hang. The only writer of its word. */
export class Heartbeat {
  readonly #words: Int32Array;

  constructor(memory: SharedMemory) {
    this.#words = new Int32Array(memory.doorbells);
  }

  beat(): void {
    storeWord(this.#words, PERSISTENCE_HEARTBEAT, loadWord(this.#words, PERSISTENCE_HEARTBEAT) + 1);
  }

  /** Beats for as long as the event loop turns, until `work` settles: work that is not done in turns. */
  async during<T>(work: Promise<T>): Promise<T> {
    this.beat();
    const timer = setInterval(() => this.beat(), PERSISTENCE_BEAT_MS);
    return await work.finally(() => clearInterval(timer));
  }
}
