import {
  assert,
  Code,
  DETAIL_BYTES_MAX,
  KEY_BYTES_MAX,
  MAP_BYTES_MAX,
  PRESENCE_RECORDS_MAX,
  RETRY_AFTER_MS,
  VALUE_BYTES_MAX,
} from '@tidewire/core';

/** Why an operation is not even sent to its owner, where a code alone does not tell. */
export class OperationRefusal {
  readonly code: Code;
  readonly sentence: string;
  /** The sentence in UTF-8, encoded once. */
  readonly detail: Uint8Array;
  /** When it may be tried again; 0: it would be refused again. */
  retryAfterMs: number;

  constructor(code: Code, sentence: string, retryAfterMs = 0) {
    this.code = code;
    this.sentence = sentence;
    this.detail = new TextEncoder().encode(sentence);
    this.retryAfterMs = retryAfterMs;
    assert(this.detail.length <= DETAIL_BYTES_MAX, 'the detail of a result is short');
  }
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
export const VALUE_TOO_LONG: OperationRefusal = tooLarge(
  `A value has ${VALUE_BYTES_MAX} bytes at most.`,
);
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

export function tooManyInFlight(max: number): OperationRefusal {
  return overloaded(`At most ${max} operations in flight on a connection; nothing was done.`);
}
