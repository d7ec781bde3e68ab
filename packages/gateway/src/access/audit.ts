import { DENIALS_A_CONNECTION_MAX, DENIALS_A_SECOND_MAX, SUBJECT_TOLD_MAX } from '@tidewire/core';
import type { Session } from '../session/session.js';
import type { Right } from './policy.js';

/** Something that a session was not permitted; no key and no value of it. */
export interface Denial {
  /** As in the log of connections. */
  readonly connection: number;
  /** Claim `sub` of its token, its beginning if it is long. */
  readonly subject: string;
  readonly map: string;
  readonly right: Right;
  /** Denials since the last one told, of all connections, that were not told themselves. */
  readonly untold: number;
}

/**
 * Tells denials, in each second a few, of one connection fewer, and of the others how many there were: who
 * floods the log hides no denial of others.
 */
export class Audit {
  readonly #elapsedMs: () => number;
  readonly #tell: (denial: Denial) => void;
  #second = 0;
  #told = 0;
  /** In this second, by connection. */
  readonly #toldOf: Map<number, number> = new Map();
  #untold = 0;

  constructor(options: { elapsedMs: () => number; tell: (denial: Denial) => void }) {
    this.#elapsedMs = options.elapsedMs;
    this.#tell = options.tell;
  }

  onDenied({ serial, subject }: Session, map: string, right: Right): void {
    const second = Math.floor(this.#elapsedMs() / 1000);
    if (second !== this.#second) {
      this.#told = 0;
      this.#toldOf.clear();
    }
    this.#second = second;
    const toldOf = this.#toldOf.get(serial) ?? 0;
    if (this.#told >= DENIALS_A_SECOND_MAX || toldOf >= DENIALS_A_CONNECTION_MAX) {
      this.#untold++;
      return;
    }
    this.#told++;
    this.#toldOf.set(serial, toldOf + 1);
    const beginning = subject.slice(0, SUBJECT_TOLD_MAX);
    this.#tell({ connection: serial, subject: beginning, map, right, untold: this.#untold });
    this.#untold = 0;
  }
}
