import {
  assert,
  Code,
  DETAIL_BYTES_MAX,
  isRefusal,
  KEY_BYTES_MAX,
  MAP_BYTES_MAX,
  PRESENCE_RECORDS_MAX,
  RETRY_AFTER_MS,
} from '@tidewire/core';
import { emptyResult, resultBytes, writeResult } from '@tidewire/core/threads';

const NO_WORDS: Int32Array = new Int32Array(0);
const NO_BYTES: Uint8Array = new Uint8Array(0);

/** Why an operation is not even sent to its owner, where a code alone does not tell. */
export class OperationRefusal {
  readonly code: Code;
  readonly sentence: string;
  readonly #detail: Uint8Array;
  #retryAfterMs: number;
  #entry: Uint8Array | undefined;

  constructor(code: Code, sentence: string, retryAfterMs = 0) {
    this.code = code;
    this.sentence = sentence;
    this.#detail = new TextEncoder().encode(sentence);
    this.#retryAfterMs = retryAfterMs;
    assert(this.#detail.length <= DETAIL_BYTES_MAX, 'the detail of a result is short');
  }

  /** When it may be tried again; 0: it would be refused again. */
  get retryAfterMs(): number {
    return this.#retryAfterMs;
  }

  set retryAfterMs(retryAfterMs: number) {
    if (retryAfterMs !== this.#retryAfterMs) this.#entry = undefined;
    this.#retryAfterMs = retryAfterMs;
  }

  /** See `saidEntry`. Written once: many are refused alike. */
  get entry(): Uint8Array {
    this.#entry ??= saidEntry(this.code, this.#detail, this.#retryAfterMs);
    return this.#entry;
  }
}

/** A result that speaks of no record, as an entry of Results for whatever request: see `patchRequestId`. */
export function saidEntry(code: Code, detail: Uint8Array = NO_BYTES, retryAfterMs = 0): Uint8Array {
  const result = emptyResult();
  result.outcome = isRefusal(code) ? Code.UNSPECIFIED : code;
  result.refusal = isRefusal(code) ? code : Code.UNSPECIFIED;
  result.detail = detail;
  result.retryAfterMs = retryAfterMs;
  const entry = new Uint8Array(resultBytes(result, NO_WORDS));
  writeResult(entry, 0, result, NO_WORDS, NO_BYTES);
  return entry;
}

function tooLarge(sentence: string): OperationRefusal {
  return new OperationRefusal(Code.TOO_LARGE, sentence);
}

function overloaded(sentence: string): OperationRefusal {
  return new OperationRefusal(Code.OVERLOADED, sentence, RETRY_AFTER_MS);
}

export const MAP_TOO_LONG: OperationRefusal = tooLarge(
  `The name of a map has ${MAP_BYTES_MAX} bytes at most.`,
);
export const KEY_TOO_LONG: OperationRefusal = tooLarge(`A key has ${KEY_BYTES_MAX} bytes at most.`);
export const MAPS_TOO_MANY: OperationRefusal = tooLarge('There are as many maps as there may be.');
export const PRESENCE_TOO_MANY: OperationRefusal = tooLarge(
  `A session puts ${PRESENCE_RECORDS_MAX} records at most for as long as it is connected.`,
);
export const PRESENCE_FULL: OperationRefusal = overloaded(
  'There are as many records put for as long as somebody is connected as there may be.',
);
export const STOPPING: OperationRefusal = new OperationRefusal(
  Code.UNAVAILABLE,
  'The server stops.',
  RETRY_AFTER_MS,
);
export const UNREAD: OperationRefusal = overloaded(
  'This connection has not read its answers; nothing was done.',
);
export const ANSWER_UNREAD: OperationRefusal = overloaded(
  'This connection has not read its answers: there is no room for the value.',
);
export const WORKER_BUSY: OperationRefusal = overloaded(
  'The worker has as much queued as it may, or as this connection may; nothing was done.',
);
export const CLOCK_AT_BOUND: OperationRefusal = overloaded(
  'The clock has reached its bound on disk; nothing was done.',
);

export const SEVERAL_PARTITIONS: OperationRefusal = new OperationRefusal(
  Code.INVALID,
  'The records of a group lie in one partition, as those of one key in several maps do.',
);

export function valueTooLong(max: number): OperationRefusal {
  return tooLarge(`A value has ${max} bytes at most.`);
}

export function tooManyInFlight(max: number): OperationRefusal {
  return overloaded(`At most ${max} operations in flight on a connection; nothing was done.`);
}
