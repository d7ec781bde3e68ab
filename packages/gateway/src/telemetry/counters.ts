import type { Code } from '@tidewire/core';

const CODES = 64;

/** What has happened since the start; numbers that only grow. */
export class Counters {
  frames = 0;
  /** Operations sent to workers. */
  operations = 0;
  /** Results that refuse, by code. */
  readonly refusals: Float64Array = new Float64Array(CODES);
  /** Connections that the server has closed, by code. */
  readonly closings: Float64Array = new Float64Array(CODES);

  onRefusal(code: Code): void {
    this.refusals[code]++;
  }

  onClosing(code: Code): void {
    this.closings[code]++;
  }
}
