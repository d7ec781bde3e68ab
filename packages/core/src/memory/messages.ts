/**
 * Bodies of the ring records, word by word. Kinds are unique per ring; kind 0 is padding.
 * Numbers of 48 bits and more lie in two words, low before high.
 */

/** Request ring: gateway → worker. */
export const RequestKind = {
  OPERATION: 1,
  SUBSCRIBE: 2,
  UNSUBSCRIBE: 3,
  CATCH_UP: 4,
  QUERY: 5,
  CREDIT: 6,
  CANCEL: 7,
  TICK: 8,
  FORGET_SESSION: 9,
  END_PRESENCE: 10,
  RULE: 11,
  FORGET_RULE: 12,
  CENSUS: 13,
} as const;

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
/** An update: OperationExtension follows the value. */
export const OPERATION_EXTENDED = 4;
/** The session may not do it to every record: OperationRules follow, last of all. */
export const OPERATION_RULED = 32;

/** Behind the value of an OPERATION, or behind its extension. */
export const OperationRules = {
  /** Rule that a record must pass, before the write if there is one and after it; or NO_RULE. */
  WRITE: 0,
  /** Rule that a record must pass to be shown; NO_RULE or RULE_NOTHING. */
  READ: 1,
  WORDS: 2,
} as const;

/** Every record passes. */
export const NO_RULE = 0;
/** No record passes. */
export const RULE_NOTHING = -1;
/** The stamp is a client's: where the key is unknown it may be TOO_OLD. */
export const OPERATION_CLIENT_STAMP = 8;
/** A put that makes a presence record. */
export const OPERATION_PRESENCE = 16;

/** Behind the value of an OPERATION that is an update. */
export const OperationExtension = {
  /** Names the session and what it may do, 4 words; all 0: a repeated operation is not recognised. */
  TOKEN: 0,
  /** Effects of lower request ids are not asked for again. */
  LOWEST_PENDING: 4,
  FLAGS: 5,
  /** The stamp that the record must have, as in an operation. */
  IF_MS_LOW: 6,
  IF_MS_HIGH_COUNTER: 7,
  IF_NODE: 8,
  /** APPEND: elements that stay; 0: all. EXECUTE: the number of the processor. */
  KEEP: 9,
  /** EXECUTE: records that the processor is given beside the operation's own; a GroupRecord each. */
  OTHER_COUNT: 10,
  WORDS: 11,
} as const;

/** Behind the extension of an EXECUTE: names a further record of the same partition. */
export const GroupRecord = {
  HASH: 0,
  /** Map id (16) | key length in bytes (16). */
  MAP_KEY_LENGTH: 1,
  /** Zero-padded to words. */
  KEY: 2,
} as const;

export const EXTENSION_IF_ABSENT = 1;
export const EXTENSION_IF_STAMP = 2;
/** A repeated operation of which nobody knows any more whether it has had its effect. */
export const EXTENSION_UNCERTAIN = 4;

/** CENSUS: count the records of every map. A later one replaces one that is under way. */
export const CensusRequest = { NUMBER: 0, WORDS: 1 } as const;

/**
 * SUBSCRIBE: changes of a map, of a key of it, or of the records for which a predicate holds,
 * concern `TOPIC` from now on.
 */
export const SubscribeRequest = {
  TOPIC: 0,
  MAP: 1,
  HASH: 2,
  /** Key length in bytes; 0: the whole map. */
  KEY_LENGTH: 3,
  /** Length of the Predicate message in bytes, in canonical form; 0: none. */
  PREDICATE_LENGTH: 4,
  FLAGS: 5,
  /** The key, zero-padded to words, or the predicate. Never both. */
  BODY: 6,
} as const;

/** Events of the topic carry the value before, too; with a predicate only. */
export const SUBSCRIBE_WITH_OLD = 1;

/** UNSUBSCRIBE: the topic is nobody's interest any more. */
export const UnsubscribeRequest = { TOPIC: 0, WORDS: 1 } as const;

/**
 * CATCH_UP: send what the topic's subscriber misses, as SLICE records of this STREAM. The topic has been
 * told before and stays until the stream has ended or was cancelled.
 */
export const CatchUpRequest = {
  /** Chosen by the gateway, never used twice. */
  STREAM: 0,
  TOPIC: 1,
  /** Key of the hash of forgotten keys, 4 words. */
  SALT: 2,
  /** Bytes of slices that may be sent before CREDIT comes. */
  CREDIT: 6,
  NOW_LOW: 7,
  NOW_HIGH: 8,
  /** Entries that follow; 0: all partitions of this worker, each from a SNAPSHOT. */
  COUNT: 9,
  /** Entries of 3 words: partition | mode << 16, cursor low, cursor high. */
  ENTRIES: 10,
  ENTRY_WORDS: 3,
} as const;

/** Changes above the cursor; a SNAPSHOT if tombstones above it have been collected. */
export const CATCH_UP_RESUME = 0;
/** Everything there is; the cursor means nothing. */
export const CATCH_UP_SNAPSHOT = 1;
/**
 * A RENEWAL if anything of the partition is above the cursor: to a subscriber who may not see every record,
 * the hash of a key would confirm a guess of its name.
 */
export const CATCH_UP_RENEW = 2;

/** QUERY: send the records of a map that match, as ROWS records of this STREAM. */
export const QueryRequest = {
  STREAM: 0,
  MAP: 1,
  CREDIT: 2,
  NOW_LOW: 3,
  NOW_HIGH: 4,
  /** Most rows; 0: all. */
  LIMIT: 5,
  FLAGS: 6,
  /** Length of the Predicate message in bytes; 0: every record. */
  PREDICATE_LENGTH: 7,
  /** Length of the Field message to order by in bytes; 0: by key. */
  ORDER_LENGTH: 8,
  /** The predicate, zero-padded to words, then the field. */
  BODY: 9,
} as const;

export const QUERY_COUNT_ONLY = 1;
/** Rows come sorted, each with its sort key. */
export const QUERY_ORDERED = 2;
export const QUERY_DESCENDING = 4;

/** CREDIT: the stream may send so many bytes more. */
export const CreditRequest = { STREAM: 0, BYTES: 1, WORDS: 2 } as const;

/** CANCEL: the stream is not wanted any more; one that has ended is unknown, which is fine. */
export const CancelRequest = { STREAM: 0, WORDS: 1 } as const;

/** FORGET_SESSION: the session of this token will not come back. */
export const ForgetSessionRequest = { TOKEN: 0, WORDS: 4 } as const;

/** RULE: records pass the rule of this number, above 0 and never used twice, if the predicate holds. */
export const RuleRequest = {
  RULE: 0,
  /** Length of the Predicate message in bytes. */
  PREDICATE_LENGTH: 1,
  BODY: 2,
} as const;

/** FORGET_RULE: no operation names the rule any more. */
export const ForgetRuleRequest = { RULE: 0, WORDS: 1 } as const;

/**
 * END_PRESENCE: the client has gone whose newest presence put of this key has this stamp and node. Ends the
 * record as a lifetime ends, if it is a presence record of that node, not newer, and passes the predicate, if
 * there is one: anybody may call itself by a node. Nobody is answered.
 */
export const EndPresenceRequest = {
  HASH: 0,
  MAP: 1,
  MS_LOW: 2,
  /** Stamp milliseconds, high (16) | stamp counter (16). */
  MS_HIGH_COUNTER: 3,
  NODE: 4,
  /** In bytes. */
  KEY_LENGTH: 5,
  /** Length of the Predicate message in bytes; 0: every record passes. */
  PREDICATE_LENGTH: 6,
  /** The key, zero-padded to words, then the predicate. */
  KEY: 7,
} as const;

/**
 * TICK: the gateway's time, several times a second; workers read no clock. None comes before recovery has
 * ended: a worker that knows the time may write on its own account.
 */
export const TickRequest = { NOW_LOW: 0, NOW_HIGH: 1, FLAGS: 2, WORDS: 3 } as const;

/** Answer with PROGRESS. */
export const TICK_REPORT = 1;

/** Interest ring: gateway → worker, for one that starts. It executes nothing before END. */
export const InterestKind = { SUBSCRIBE: 1, END: 2, RULE: 3 } as const;

/** SUBSCRIBE: as in the request ring, but not answered. RULE: as there. */

/** END: the worker's start of this number has been told every interest and every rule there is. */
export const InterestEnd = { START: 0, WORDS: 1 } as const;

/** Outbound ring: worker → gateway. */
export const OutboundKind = {
  RESULT: 1,
  EVENT: 2,
  SUBSCRIBED: 3,
  SLICE: 4,
  ROWS: 5,
  PROGRESS: 6,
  CENSUS: 7,
} as const;

/** RESULT: the one answer to the operation whose request ring record ended at REQUEST_POSITION. */
export const ResultMessage = {
  REQUEST_POSITION: 0,
  SESSION: 1,
  /** How it goes out: 0 at once, or one of the following. */
  WAITS: 2,
  LANE_POSITION: 3,
  /** Bytes of the Result message, as it stands in Results with its tag and length. */
  BYTES: 4,
  /** Code of what happened; 0: it was refused. */
  OUTCOME: 5,
  BODY: 6,
} as const;

/** Once LANE_FLUSHED has reached LANE_POSITION. */
export const RESULT_WAITS = 1;
/** At once; a rule of its session forbade it. In LANE_POSITION: map id (16) | operation kind (16). */
export const RESULT_FORBIDDEN = 2;

/**
 * EVENT: one change as some topics see it. A change that concerns several kinds of topics, or very many
 * topics, makes several of these, all committed at once.
 */
export const EventMessage = {
  PARTITION: 0,
  SEQUENCE_LOW: 1,
  SEQUENCE_HIGH: 2,
  /** Bytes of the Event message, as it stands in Events with its tag and length. */
  BYTES: 3,
  /** 1: the first record of its change. */
  FIRST: 4,
  TOPIC_COUNT: 5,
  /** The topics, a word each; then the event's bytes. */
  TOPICS: 6,
} as const;

/** SUBSCRIBED: every change behind this record that concerns TOPIC is behind it in the ring. */
export const SubscribedMessage = { REQUEST_POSITION: 0, TOPIC: 1, WORDS: 2 } as const;

/** SLICE: some Slice messages of a catch-up. */
export const SliceMessage = {
  STREAM: 0,
  FLAGS: 1,
  /** Bytes of the Slice messages, as they stand in CatchUp with their tags and lengths. */
  BYTES: 2,
  /** Partitions whose catch-up ends in this record. */
  ENDED_COUNT: 3,
  /** Entries of 3 words: partition, sequence reached low, high; then the bytes. */
  ENDED: 4,
  ENDED_WORDS: 3,
} as const;

/** ROWS: some rows of a query. */
export const RowsMessage = {
  STREAM: 0,
  FLAGS: 1,
  /** With STREAM_LAST: records of this worker that matched. */
  COUNT_LOW: 2,
  COUNT_HIGH: 3,
  /** Bytes of Event messages, as they stand in Rows with their tags and lengths. */
  BYTES: 4,
  /** Rows in it; without QUERY_ORDERED 0 and only bytes follow. */
  ROW_COUNT: 5,
  /** For each row 2 words: bytes of its sort key, bytes of its Event; then all Events, all sort keys. */
  ROWS: 6,
  ROW_WORDS: 2,
} as const;

/** The stream has ended in this worker. */
export const STREAM_LAST = 1;
/** ROWS: the sorted rows are larger than a query may hold. Ends the stream. */
export const STREAM_TOO_LARGE = 2;
/** ROWS, with STREAM_TOO_LARGE: only together with those of other queries; may be asked again. */
export const STREAM_OVERLOADED = 4;

/** CENSUS: what this worker holds of every map that has a record in it, tombstones left out. */
export const CensusMessage = {
  NUMBER: 0,
  COUNT: 1,
  /** Entries of 4 words: map id, records, bytes of their images low, high. */
  ENTRIES: 2,
  ENTRY_WORDS: 4,
} as const;

/** PROGRESS: every change up to these sequences that concerns any topic is before this record. */
export const ProgressMessage = {
  COUNT: 0,
  /** Entries of 3 words: partition, sequence low, high; those that moved since the last. */
  ENTRIES: 1,
  ENTRY_WORDS: 3,
} as const;

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
  /** Of CHANGES, the first so many are all handed over. */
  CHANGES_WHOLE: 5,
  /** Marks of 3 words: partition, handed low, handed high. */
  MARKS: 6,
  MARK_WORDS: 3,
} as const;

/** Recovery ring: persistence → worker. */
export const RecoveryKind = { RECORD: 1, PARTITION: 2, END: 3 } as const;

/** RECORD: a record image with its stored sequence, from word 0. */

/** PARTITION: sequences of this partition go on above SEQUENCE; GC is what was collected of it. */
export const RecoveryPartition = {
  PARTITION: 0,
  SEQUENCE_LOW: 1,
  SEQUENCE_HIGH: 2,
  /** The highest sequence and the highest stamp of its collected tombstones; 0: none. */
  GC_SEQUENCE_LOW: 3,
  GC_SEQUENCE_HIGH: 4,
  GC_MS_LOW: 5,
  GC_MS_HIGH_COUNTER: 6,
  GC_NODE: 7,
  WORDS: 8,
} as const;
