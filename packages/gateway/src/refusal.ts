import { CODE_SENTENCES, Code, RETRY_AFTER_MS } from '@tidewire/core';

/** Why something that was asked for is not done; nothing of it has been. */
export class Refusal {
  readonly code: Code;
  readonly detail: string;
  /** When it may be tried again; 0: it would be refused again. */
  readonly retryAfterMs: number;

  constructor(
    code: Code,
    detail: string = CODE_SENTENCES[code],
    retryAfterMs: number = isPassing(code) ? RETRY_AFTER_MS : 0,
  ) {
    this.code = code;
    this.detail = detail;
    this.retryAfterMs = retryAfterMs;
  }
}

function isPassing(code: Code): boolean {
  return code === Code.OVERLOADED || code === Code.UNAVAILABLE;
}
