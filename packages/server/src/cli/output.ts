import { once } from 'node:events';
import type { Io } from './io.js';

/** Writes as fast as the reader of the output takes it; ends when the user stops it or nobody reads. */
export class Output {
  isStopped = false;
  readonly #stream: Io['stdout'];
  readonly #stopped: Promise<void>;

  /** `onStop`: called once. */
  constructor(io: Io, onStop: () => void) {
    this.#stream = io.stdout;
    this.#stopped = new Promise((resolve) =>
      io.onStop(() => {
        if (this.isStopped) return;
        this.isStopped = true;
        resolve();
        onStop();
      }),
    );
  }

  async write(text: string): Promise<void> {
    if (text === '' || this.isStopped || this.#stream.write(text)) return;
    await Promise.race([once(this.#stream, 'drain').catch(() => {}), this.#stopped]);
  }
}
