/**
 * Bodies of the ring records, word by word. Kinds are unique per ring; kind 0 is padding.
 * Numbers of 48 bits and more lie in two words, low before high.
 */

/** Request ring: gateway → worker. */
export const RequestKind = { OPERATION: 1, SUBSCRIBE: 2, UNSUBSCRIBE: 3 } as const;

/**
 * OPERATION. The words from HASH to LENGTHS carry the fields of a record image, the stamp included;
 * the gateway has checked every length and has stamped the operation.
 */
export const Operation = {
  /** The session to answer, see Session ids of the gateway; returned as it is. */
  SESSION: 0,
  REQUEST_ID: 1,
  HASH: 2,
  /** Map id (16) | operation kind (8) | flags (8). */
  MAP_KIND_FLAGS: 3,
  MS_LOW: 4,
  /** Stamp milliseconds, high (16) | stamp counter (16). */
  MS_HIGH_COUNTER: 5,
  /** Node (24) | value kind (8). */
  NODE_VALUE_KIND: 6,
  /** As in a record image. */
  LENGTHS: 7,
  /** Milliseconds since 1970 at which the value expires; 0 and 0: never. */
  EXPIRES_LOW: 8,
  EXPIRES_HIGH: 9,
  /** The gateway's time, by which expired records are told. */
  NOW_LOW: 10,
  NOW_HIGH: 11,
  /** The key, zero-padded to words, then the value. */
  KEY: 12,
} as const;

export const OPERATION_SAFE = 1;
export const OPERATION_RETURN_WINNER = 2;

/** SUBSCRIBE: changes of a map, or of a key of it, concern `TOPIC` from now on. */
export const SubscribeRequest = {
  TOPIC: 0,
  MAP: 1,
  HASH: 2,
  /** Key length in bytes; 0: the whole map. */
  KEY_LENGTH: 3,
  KEY: 4,
} as const;

/** UNSUBSCRIBE: the topic is nobody's interest any more. */
export const UnsubscribeRequest = { TOPIC: 0, WORDS: 1 } as const;

/** Interest ring: gateway → worker, for one that starts. It executes nothing before END. */
export const InterestKind = { SUBSCRIBE: 1, END: 2 } as const;

/** SUBSCRIBE: as in the request ring, but not answered. */

/** END: the worker's start of this number has been told every interest there is. */
export const InterestEnd = { START: 0, WORDS: 1 } as const;

/** Outbound ring: worker → gateway. */
export const OutboundKind = { RESULT: 1, EVENT: 2, SUBSCRIBED: 3 } as const;

/** RESULT: the one answer to the operation whose request ring record ended at REQUEST_POSITION. */
export const ResultMessage = {
  REQUEST_POSITION: 0,
  SESSION: 1,
  /** 1: goes out once LANE_FLUSHED has reached LANE_POSITION; 0: at once. */
  WAITS: 2,
  LANE_POSITION: 3,
  /** Bytes of the Result message, as it stands in Results with its tag and length. */
  BYTES: 4,
  BODY: 5,
} as const;

/** EVENT: one change and the topics that it concerns. */
export const EventMessage = {
  PARTITION: 0,
  SEQUENCE_LOW: 1,
  SEQUENCE_HIGH: 2,
  /** Bytes of the Event message, as it stands in Events with its tag and length. */
  BYTES: 3,
  TOPIC_COUNT: 4,
  /** The topics, ascending, a word each; then the event's bytes. */
  TOPICS: 5,
} as const;

/** SUBSCRIBED: every change behind this record that concerns TOPIC is behind it in the ring. */
export const SubscribedMessage = { REQUEST_POSITION: 0, TOPIC: 1, WORDS: 2 } as const;

/** Batch ring: worker → persistence. */
export const BatchKind = { RECORD: 1, END: 2 } as const;

/** RECORD: a record image (see record-layout.ts) from word 0. */

/** END of the answer to a pull: what the records before it complete. */
export const BatchEnd = {
  PULL: 0,
  ATTEMPT: 1,
  /** SAFE lane position that is in the database once these records are. */
  LANE_HANDED: 2,
  MARK_COUNT: 3,
  /** 1: more was dirty than the pull allowed. */
  MORE: 4,
  /** Marks of 3 words: partition, handed low, handed high. */
  MARKS: 5,
  MARK_WORDS: 3,
} as const;

/** Recovery ring: persistence → worker. */
export const RecoveryKind = { RECORD: 1, PARTITION: 2, END: 3 } as const;

/** RECORD: a record image with its stored sequence, from word 0. */

/** PARTITION: sequences of this partition go on above SEQUENCE. */
export const RecoveryPartition = {
  PARTITION: 0,
  SEQUENCE_LOW: 1,
  SEQUENCE_HIGH: 2,
  WORDS: 3,
} as const;
