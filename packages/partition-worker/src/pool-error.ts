import { CODE_SENTENCES, Code } from '@tidewire/core';
import type { Record } from './record.js';

/** Why an operation was refused, under the code that the wire uses; `name` is the code's. */
export class PoolError extends Error {
  readonly code: Code;
  /** PRECONDITION: the record that stands, if there is one. */
  readonly present: Record | undefined;

  constructor(code: Code, detail = '', present: Record | undefined = undefined) {
    super(detail === '' ? CODE_SENTENCES[code] : detail);
    this.name = Code[code];
    this.code = code;
    this.present = present;
  }
}
