import { type Client, Code, type Stamp, TidewireError, type TypedMap } from '@tidewire/client';
import type { Reading } from './reading.js';

/** How long a record that meets a full or slow server is tried again. */
const RETRY_MS_MAX = 60_000;
const RETRY_PAUSE_MS_MIN = 20;

const RETRYABLE: ReadonlySet<Code> = new Set([
  Code.OVERLOADED,
  Code.UNAVAILABLE,
  Code.UNCERTAIN,
  Code.NOT_YET_DURABLE,
]);

export interface LoaderOptions {
  readonly client: Pick<Client, 'nextStamp' | 'server' | 'state'>;
  readonly map: Pick<TypedMap<unknown>, 'putJson' | 'putBytes'>;
  readonly safe: boolean;
  readonly nowMs: () => number;
  readonly pause: (ms: number) => Promise<void>;
  /** Names a record that was not stored. */
  readonly report: (line: number, reason: string) => void;
}

/**
 * Stores records, as many at once as the server lets one connection have in flight. Each keeps the
 * stamp of its turn in the file, also when it is tried again: of two records with one key the later
 * wins.
 */
export class Loader {
  readonly #options: LoaderOptions;
  stored = 0;
  /** Of those stored: found a newer record in their place. */
  superseded = 0;
  refused = 0;
  /** The server is lost: nothing more is taken. */
  loss: TidewireError | undefined;
  #underWay = 0;
  #onAnswer: () => void = () => {};

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  /** Takes nothing more once the server is lost. */
  async addAll(readings: readonly Reading[]): Promise<void> {
    for (const reading of readings) {
      while (this.#underWay >= this.#options.client.server.limits.inFlightMax)
        await this.#nextAnswer();
      if (this.loss) return;
      if (reading.kind === 'fault') this.#refuse(reading.line, reading.reason);
      else void this.#store(reading, this.#options.client.nextStamp());
    }
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    while (this.#underWay > 0) await this.#nextAnswer();
  }

  async #store(record: Reading & { kind: 'record' }, stamp: Stamp): Promise<void> {
    this.#underWay++;
    const giveUpAtMs = this.#options.nowMs() + RETRY_MS_MAX;
    try {
      while (!(await this.#attempt(record, stamp, giveUpAtMs)));
    } catch (error) {
      if (!(error instanceof TidewireError)) throw error;
      this.#refuse(record.line, `${error.name}: ${error.detail}`);
    } finally {
      this.#underWay--;
      this.#onAnswer();
    }
  }

  /** False if it is to be tried again. */
  async #attempt(
    { key, value, storedAs }: Reading & { kind: 'record' },
    stamp: Stamp,
    giveUpAtMs: number,
  ): Promise<boolean> {
    const { client, map, safe, nowMs, pause } = this.#options;
    try {
      const options = { safe, stamp };
      const { outcome } = await (storedAs === 'json'
        ? map.putJson(key, value, options)
        : map.putBytes(key, value, options));
      this.stored++;
      if (outcome === 'SUPERSEDED') this.superseded++;
      return true;
    } catch (error) {
      if (!(error instanceof TidewireError) || !RETRYABLE.has(error.code)) throw error;
      if (client.state !== 'connected') this.loss = error;
      if (this.loss || nowMs() >= giveUpAtMs) throw error;
      await pause(Math.max(error.retryAfterMs, RETRY_PAUSE_MS_MIN));
      return false;
    }
  }

  #refuse(line: number, reason: string): void {
    this.refused++;
    this.#options.report(line, reason);
  }

  #nextAnswer(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAnswer = resolve;
    });
  }
}
