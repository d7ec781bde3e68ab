import {
  compilePredicate,
  decodeField,
  decodePredicate,
  type Field,
  fieldReader,
  type QueriedRecord,
  type RecordTest,
} from '@tidewire/core';
import {
  QUERY_COUNT_ONLY,
  QUERY_DESCENDING,
  QUERY_ORDERED,
  QueryRequest,
  RecordLayout,
} from '@tidewire/core/threads';

const BY_KEY: Field = { kind: 'key' };

/** What a QUERY record asks for. */
export interface QueryPlan {
  readonly stream: number;
  readonly credit: number;
  readonly mapId: number;
  readonly nowMs: number;
  /** Most rows, where they are ordered. */
  readonly limit: number;
  readonly isCountOnly: boolean;
  readonly isOrdered: boolean;
  readonly isDescending: boolean;
  /** Which records match; undefined: every one. */
  readonly test: RecordTest | undefined;
  /** The field to order by. */
  readonly orderOf: (record: QueriedRecord) => unknown;
}

/** The QUERY at `words[at]`; the gateway has checked what is in it. */
export function readQueryPlan(words: Int32Array, at: number): QueryPlan {
  const flags = words[at + QueryRequest.FLAGS];
  const predicateLength = words[at + QueryRequest.PREDICATE_LENGTH];
  const orderLength = words[at + QueryRequest.ORDER_LENGTH];
  const body = at + QueryRequest.BODY;
  const order = body + RecordLayout.wordsOf(predicateLength);
  return {
    stream: words[at + QueryRequest.STREAM],
    credit: words[at + QueryRequest.CREDIT],
    mapId: words[at + QueryRequest.MAP],
    nowMs: RecordLayout.joinWords(
      words[at + QueryRequest.NOW_LOW],
      words[at + QueryRequest.NOW_HIGH],
    ),
    limit: words[at + QueryRequest.LIMIT],
    isCountOnly: (flags & QUERY_COUNT_ONLY) !== 0,
    isOrdered: (flags & QUERY_ORDERED) !== 0,
    isDescending: (flags & QUERY_DESCENDING) !== 0,
    test:
      predicateLength === 0
        ? undefined
        : compilePredicate(decodePredicate(bytesAt(words, body, predicateLength))),
    orderOf: fieldReader(
      orderLength === 0 ? BY_KEY : decodeField(bytesAt(words, order, orderLength)),
    ),
  };
}

/** A copy: decoders do not read shared memory. */
function bytesAt(words: Int32Array, index: number, length: number): Uint8Array {
  return new Uint8Array(words.buffer, index * 4, length).slice();
}
