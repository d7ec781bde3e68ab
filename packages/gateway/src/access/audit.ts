import { DENIALS_A_SECOND_MAX } from '@tidewire/core';
import type { Session } from '../session/session.js';
import type { Right } from './policy.js';

/** Something that a session was not permitted; no key and no value of it. */
export interface Denial {
  /** As in the log of connections. */
  readonly connection: number;
  /** Claim `sub` of its token. */
  readonly subject: string;
  readonly map: string;
  readonly right: Right;
  /** Denials since the last one told, that were not told themselves. */
  readonly untold: number;
}

/** Tells denials, in each second a few and of the others how many there were. */
export class Audit {
  readonly #elapsedMs: () => number;
  readonly #tell: (denial: Denial) => void;
  #second = 0;
  #told = 0;
  #untold = 0;

  constructor(options: { elapsedMs: () => number; tell: (denial: Denial) => void }) {
    this.#elapsedMs = options.elapsedMs;
    this.#tell = options.tell;
  }

  onDenied({ serial, subject }: Session, map: string, right: Right): void {
    const second = Math.floor(this.#elapsedMs() / 1000);
    if (second !== this.#second) this.#told = 0;
    this.#second = second;
    if (this.#told >= DENIALS_A_SECOND_MAX) {
      this.#untold++;
      return;
    }
    this.#told++;
    this.#tell({ connection: serial, subject, map, right, untold: this.#untold });
    this.#untold = 0;
  }
}
