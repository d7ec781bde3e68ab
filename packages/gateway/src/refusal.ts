import { CODE_SENTENCES, Code, RETRY_AFTER_MS } from '@tidewire/core';

/** Why something that was asked for is not done; nothing of it has been. */
export class Refusal {
  readonly code: Code;
  readonly detail: string;

  constructor(code: Code, detail: string = CODE_SENTENCES[code]) {
    this.code = code;
    this.detail = detail;
  }

  /** When it may be tried again; 0: it would be refused again. */
  get retryAfterMs(): number {
    const isPassing = this.code === Code.OVERLOADED || this.code === Code.UNAVAILABLE;
    return isPassing ? RETRY_AFTER_MS : 0;
  }
}
