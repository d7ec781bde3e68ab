import { NOT_JSON, type QueriedRecord } from '@tidewire/core';
import { Operation, RecordLayout } from '@tidewire/core/threads';
import { OperationKind, ValueKind } from '@tidewire/schemas';
import { jsonAt } from '../query/stored-record.js';
import { operationKindOf } from './operation.js';

/** The record that a plain write would make, as predicates see it; of a removal the key alone. */
export class RequestedRecord implements QueriedRecord {
  readonly #request: Int32Array;
  readonly #at: number;
  readonly #bytes: Buffer;

  constructor(request: Int32Array, at: number) {
    this.#request = request;
    this.#at = at;
    this.#bytes = Buffer.from(request.buffer);
  }

  get key(): string {
    const offset = (this.#at + Operation.KEY) * 4;
    return this.#bytes.toString('utf8', offset, offset + this.#keyLength);
  }

  get stampMs(): number {
    const high = this.#request[this.#at + Operation.MS_HIGH_COUNTER] >>> 16;
    return RecordLayout.joinWords(this.#request[this.#at + Operation.MS_LOW], high);
  }

  get value(): unknown {
    const request = this.#request;
    const at = this.#at;
    const isOpaque = (request[at + Operation.NODE_VALUE_KIND] & 0xff) === ValueKind.BYTES;
    if (isOpaque || operationKindOf(request, at) === OperationKind.REMOVE) return NOT_JSON;
    const index = at + Operation.KEY + RecordLayout.wordsOf(this.#keyLength);
    const length = RecordLayout.valueLengthOf(request[at + Operation.LENGTHS]);
    return jsonAt(this.#bytes, index * 4, length);
  }

  get #keyLength(): number {
    return RecordLayout.keyLengthOf(this.#request[this.#at + Operation.LENGTHS]);
  }
}
