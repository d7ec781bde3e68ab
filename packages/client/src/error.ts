import { CODE_SENTENCES, Code } from '@tidewire/core';
import type { Entry } from './entry.js';
import type { WriteResult } from './write-result.js';

/**
 * An operating error under the code that the wire uses: a refusal by the server, or by this library
 * before anything was sent. `name` is the name of the code, so that logs read `OVERLOADED: …`.
 */
export class TidewireError extends Error {
  readonly code: Code;
  /** A sentence on this very case. */
  readonly detail: string;
  /** When a refused operation may be tried again; 0: nothing is known. */
  readonly retryAfterMs: number;
  /** NOT_YET_DURABLE alone: the write *was* applied, to this result. */
  readonly result: WriteResult | undefined;
  /** PRECONDITION and UNCERTAIN: the record that stands; undefined: none, or nothing is known. */
  readonly present: Entry<unknown> | undefined;

  constructor(
    code: Code,
    detail = '',
    more: {
      retryAfterMs?: number;
      result?: WriteResult | undefined;
      present?: Entry<unknown> | undefined;
    } = {},
  ) {
    super(detail === '' ? sentenceOf(code) : detail);
    this.name = nameOf(code);
    this.code = code;
    this.detail = this.message;
    this.retryAfterMs = more.retryAfterMs ?? 0;
    this.result = more.result;
    this.present = more.present;
  }
}

/** The catalogue's name of `code`; a code of a later version has its number for a name. */
export function nameOf(code: Code): string {
  return Code[code] ?? `CODE_${code}`;
}

function sentenceOf(code: Code): string {
  return CODE_SENTENCES[code] ?? `The server answered with code ${code}.`;
}
