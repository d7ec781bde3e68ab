import { assert } from './assert.js';
import { PARTITIONS } from './partition-hash.js';

/** Every limit of the system by name. Lengths are bytes, times milliseconds, unless named otherwise. */

export const PROTOCOL_VERSION = 1;

// What a client may send.
export const FRAME_BYTES_MAX: number = 64 * 1024;
/** Of a frame that is no operations, and of Hello, which carries a token and a cursor. */
export const CONTROL_BYTES_MAX: number = 10 * 1024;
export const HELLO_BYTES_MAX: number = 32 * 1024;
/** A frame beyond FRAME_BYTES_MAX is refused by name, one beyond this ends its connection at once. */
export const TRANSPORT_FRAME_BYTES_MAX: number = 128 * 1024;
export const FRAME_OPERATIONS_MAX = 1024;
export const MAP_BYTES_MAX = 128;
export const KEY_BYTES_MAX = 1024;
export const VALUE_BYTES_MAX: number = 32 * 1024;
export const IN_FLIGHT_MAX = 1024;
export const SUBSCRIPTIONS_MAX = 1000;
export const TTL_MS_MAX: number = 2 ** 45;
export const MAX_HZ_MAX = 1000;

// Predicates and queries.
export const PREDICATE_BYTES_MAX: number = 8 * 1024;
/** Of its text form, in UTF-16 units: more than any predicate within the other limits takes. */
export const PREDICATE_TEXT_MAX: number = 4 * PREDICATE_BYTES_MAX;
export const PREDICATE_NODES_MAX = 64;
export const PREDICATE_DEPTH_MAX = 16;
export const PREDICATE_LITERALS_MAX = 256;
export const PATH_STEPS_MAX = 16;
/** Of all `like` of a predicate: trying it costs the length of the texts times this, by 32. */
export const LIKE_BYTES_MAX = 256;
/** A `like` counts as so many bytes at least: even the shortest looks at the whole text. */
export const LIKE_BYTES_COUNTED_MIN = 32;
/** Predicates of one map with different meaning. */
export const PREDICATES_A_MAP_MAX = 100_000;
/** Of all predicates together, in canonical form. */
export const PREDICATE_BYTES_TOTAL_MAX: number = 64 * 1024 * 1024;
/** Rates at which one topic is heard; a further one is rounded down to a power of 2. */
export const RATES_A_TOPIC_MAX = 16;
/** Of one map, those that no index serves: each is tried at every change. */
export const PREDICATES_UNINDEXED_A_MAP_MAX = 256;
/** Of one principal, whose token does not permit everything; see Principal. */
export const SUBSCRIPTIONS_UNINDEXED_A_PRINCIPAL_MAX: number = PREDICATES_UNINDEXED_A_MAP_MAX / 4;
/** Of one connection, those that no index serves. */
export const SUBSCRIPTIONS_UNINDEXED_MAX = 16;
export const QUERIES_MAX = 16;
export const QUERY_ROWS_MAX = 10_000;
/** Of sorted rows that one worker holds for a query. */
export const QUERY_BYTES_MAX: number = 16 * 1024 * 1024;
/** Of those that it holds for all queries together. */
export const QUERIES_BYTES_MAX: number = 64 * 1024 * 1024;

// Catching up.
/** Slices and rows are cut at about this length. */
export const SLICE_BYTES: number = 32 * 1024;
/** What a worker may send of a stream before its connection has taken some of it. */
export const STREAM_CREDIT_BYTES: number = 32 * 1024;
/** Streams of one connection that run at one time, of catch-ups and of queries each. */
export const SESSION_STREAMS_MAX = 2;
/** Connections whose streams run at one time; one that does not read is not counted. */
export const STREAMING_SESSIONS_MAX = 512;
/** Time between two TICKs, and between two Progress frames. */
export const TICK_INTERVAL_MS = 100;
export const PROGRESS_INTERVAL_MS = 1000;
/** Epochs whose cursors are honoured. */
export const EPOCHS_KEPT = 16;

// Connections.
export const CONNECTIONS_MAX = 65_536;
/** Connections that have not said Hello, sockets that shake hands included; and those of one address. */
export const STRANGERS_MAX = 2048;
export const STRANGERS_AN_ADDRESS_MAX = 1024;
/** Addresses that have called lately; beyond it newcomers of others are turned away. */
export const ADDRESSES_MAX = 131_072;
export const HELLO_DEADLINE_MS = 2000;
/** What one may send until it has been welcomed, where a transport can tell: a frame that is refused by name. */
export const STRANGER_BYTES_MAX: number = FRAME_BYTES_MAX + 1024;
/** Without a sign of life, until a connection is closed; an operator may set another. */
export const HEARTBEAT_SECONDS = 40;
export const SESSION_SOFT_BYTES: number = 256 * 1024;
export const SESSION_HARD_BYTES: number = 4 * 1024 * 1024;
/** Streams go on, and a slow consumer catches up, when no more than this is unsent. */
export const SESSION_DRAINED_BYTES: number = SESSION_SOFT_BYTES / 4;
/** Every subscriber is looked at while so much is published. */
export const LAG_LOOK_BYTES: number = 1024 * 1024;
/** A slow consumer may read this long what was sent before it is closed. */
export const SLOW_CLOSE_MS = 5000;
/** For the HTTP request of a newcomer, and for its headers. */
export const HANDSHAKE_MS_MAX = 10_000;
export const HANDSHAKE_BYTES_MAX: number = 16 * 1024;
/** Fragments of a message, and pieces in which a frame may arrive. */
export const MESSAGE_PARTS_MAX = 4096;
/** Bytes written to a socket in one turn before they are handed to the system. */
export const GATHER_BYTES: number = 64 * 1024;
/** Beyond this much unsent, a result with a value is OVERLOADED instead. */
export const SESSION_ANSWER_BYTES_MAX: number = 2 * 1024 * 1024;
/** Results up to this length always fit; longer ones carry a value. */
export const RESULT_SHORT_BYTES = 1024;
export const RETRY_AFTER_MS = 50;
/** When memory is full: it takes removals, and their collection, to make room. */
export const RETRY_AFTER_FULL_MS = 1000;
/** For newcomers that were turned away. */
export const RETRY_AFTER_CROWD_MS = 1000;
/** A connection that sends on so many seconds beyond its rate, refused all the time, is closed. */
export const RATE_DEBT_SECONDS_MAX = 5;
/** So is one that is refused as many operations beyond its rate; at least so many of them are only refused. */
export const RATE_DEBT_OPERATIONS_MIN: number = 8 * IN_FLIGHT_MAX;
/** The last part in so many of a request ring is shared out between connections. */
export const RING_SHARED_DIVISOR = 4;
/** Details of results, in UTF-8. */
export const DETAIL_BYTES_MAX = 200;

// Who comes in.
/** Longest token that is looked at. */
export const TOKEN_BYTES_MAX: number = 8 * 1024;
/** Times in a token are seconds since 1970, up to the end of the year 9999. */
export const TOKEN_SECONDS_MAX = 253_402_300_799;
/** Tokens that are being verified at one time. */
export const VERIFICATIONS_MAX = 64;
/** Of these, tokens that wait for a key set to be read again for a key that it lacks. */
export const KEY_WAITERS_MAX: number = VERIFICATIONS_MAX / 4;
/** Grants of a policy or of a token. */
export const GRANTS_MAX = 1024;
/** Maps whose permits are remembered of one session, and sets of its grants. */
export const PERMITS_MAX = 256;
/** Rules of different meaning that sessions have at one time. */
export const RULES_MAX = 65_536;
/** Denials that are logged in a second; of more only their number. */
export const DENIALS_A_SECOND_MAX = 10;
/** Of these, of one connection. */
export const DENIALS_A_CONNECTION_MAX = 3;
/** Of a claim `sub` that is logged, in UTF-16 units. */
export const SUBJECT_TOLD_MAX = 128;
/** How far the clocks of those who sign tokens may lie apart from this one. */
export const TOKEN_LEEWAY_MS = 30_000;

// What a client library keeps while the connection is away or its window is full.
export const CLIENT_QUEUE_OPERATIONS_MAX = 16_384;
export const CLIENT_QUEUE_BYTES_MAX: number = 64 * 1024 * 1024;
export const CLIENT_QUEUE_QUERIES_MAX = 1024;
/** Writes that the database does not have yet; what is beyond is not sent again should they be lost. */
export const CLIENT_LOG_WRITES_MAX = 262_144;
export const CLIENT_LOG_BYTES_MAX: number = 64 * 1024 * 1024;
/** Rows that have come and were not taken yet. */
export const CLIENT_ROWS_BYTES_MAX: number = 64 * 1024 * 1024;

// Turns of the gateway.
/** Operations taken from connections before what has been done is answered. */
export const OPERATIONS_A_TURN = 256;
/** Records taken from one outbound ring before the others get their turn. */
export const OUTBOUND_RECORDS_A_TURN = 4096;
/** Frames put together at one time, each in a buffer of FRAME_BUFFER_BYTES. */
export const FRAME_BUFFERS_MAX = 256;
export const FRAME_BUFFER_BYTES: number = 72 * 1024;
/** Latest events held back of one topic, and of all; what is beyond goes out early. */
export const CONFLATED_TOPIC_BYTES_MAX: number = 1024 * 1024;
export const CONFLATED_BYTES_MAX: number = 64 * 1024 * 1024;
/**
 * Control records not yet told to a worker. Beyond it nothing is begun and no credit is given: what else
 * comes ends what was begun, a topic, a stream or a record of presence, each once.
 */
export const CONTROL_BACKLOG_MAX = 65_536;

// Time.
export const DRIFT_MS_MAX = 5000;
export const SAFE_DEADLINE_MS = 10_000;

// Lifetimes.
/** How long a removal is remembered at least, unless memory runs short. */
export const TOMBSTONE_HORIZON_MS: number = 60 * 60 * 1000;
/** Between two looks through all records for tombstones to collect. */
export const TOMBSTONE_PASS_INTERVAL_MS = 60_000;
/** With less than one part in so many of an arena left, tombstones go before the horizon. */
export const ARENA_PRESSURE_DIVISOR = 8;
/** How long presence records outlive their connection, for it to come back. */
export const PRESENCE_GRACE_MS = 10_000;
/** Presence records of one session, and of all. */
export const PRESENCE_RECORDS_MAX = 256;
export const PRESENCE_RECORDS_TOTAL_MAX = 131_072;
/** And of all sessions of one principal, whose token does not permit everything; see Principal. */
export const PRESENCE_RECORDS_A_PRINCIPAL_MAX: number = PRESENCE_RECORDS_TOTAL_MAX / 16;

// Shared memory.
export const MAPS_MAX = 4096;
/** Of these, maps that are watched and have never been written: the others are kept for writers. */
export const MAPS_LENT_MAX: number = MAPS_MAX / 2;
/** And those that one principal watches, whose token does not permit everything; see Principal. */
export const MAPS_LENT_A_PRINCIPAL_MAX: number = MAPS_LENT_MAX / 4;
/** Made since the start by one principal, whose token does not permit everything; see Principal. */
export const MAPS_A_PRINCIPAL_MAX: number = MAPS_MAX / 16;
export const WORKERS_MAX = 16;
export const TOPICS_MAX = 1_000_000;
export const RING_BYTES: number = 4 * 1024 * 1024;
/** No ring record is longer than this part of its ring. */
export const RING_RECORD_DIVISOR = 8;
/** This part of a request ring is kept for control records. */
export const RING_CONTROL_DIVISOR = 8;
export const LANE_ENTRIES = 16_384;
export const JOURNAL_ENTRIES = 2048;
export const ARENA_BYTES_MAX: number = 4 * 1024 ** 3 - 64 * 1024;
export const ARENA_BYTES_MIN: number = 16 * 1024 * 1024;

// Updates that may be sent again.
/** Effects that one worker remembers; beyond it who has the most makes room. */
export const EFFECTS_MAX = 65_536;
/** One session has one part in so many of them: it says which answers it has (`lowest_pending`), or waits. */
export const EFFECTS_SESSION_DIVISOR = 8;
/** Of an effect's value; a longer one is not repeated, only that it was applied. */
export const EFFECT_VALUE_BYTES_MAX = 64;
/** How long the effects of a closed session are remembered. */
export const EFFECTS_KEPT_MS = 60_000;
export const RESUME_TOKEN_BYTES = 16;
/** Remembered at one time, of sessions that have closed too: these are forgotten where there are more. */
export const RESUME_TOKENS_MAX = 131_072;

// Workers that die.
/** A worker that takes no turn for so long is ended; every turn is bounded far below. */
export const WORKER_HANG_MS = 5000;
/** Between two looks at the heartbeats of threads. */
export const HANG_LOOK_INTERVAL_MS = 100;
/** A processor that takes longer changes nothing. */
export const PROCESSOR_BUDGET_MS = 100;
/** Records that one may change together, all of one partition. */
export const GROUP_RECORDS_MAX = 64;
/** Of what its error says. */
export const PROCESSOR_ERROR_CHARACTERS_MAX = 160;
/** Starts of one worker without an operation executed in between, after which it is given up. */
export const RESTARTS_FRUITLESS_MAX = 8;
export const RESTART_BACKOFF_MIN_MS = 10;
export const RESTART_BACKOFF_MAX_MS = 1000;
/** A worker that took turns for so long is started again as if it had never died before. */
export const RESTART_STEADY_MS = 10_000;

// Write-behind.
/** A persistence thread that takes no turn for so long is ended; what it waits for is no part of a turn. */
export const PERSISTENCE_HANG_MS = 5000;
/** Between beats while the thread has no turns: while it opens, recovers or ends. */
export const PERSISTENCE_BEAT_MS = 250;
export const FLUSH_INTERVAL_MS = 100;
export const FLUSH_RECORDS = 1000;
export const BATCH_RECORDS_MAX = 8192;
/** Times that a record alone meets something damaged in the database before it is put aside. */
export const DAMAGED_ATTEMPTS_MAX = 5;
export const BATCH_BYTES_MAX: number = 16 * 1024 * 1024;
export const BACKOFF_MIN_MS = 50;
export const BACKOFF_MAX_MS = 800;
export const PROBE_INTERVAL_MS = 1000;
/** Time between two writes of how far partitions have been flushed. */
export const BASES_INTERVAL_MS = 1000;
/** Between two attempts to have the database know what is collected. */
export const COLLECTION_RETRY_MS = 1000;
/** Rows of collected tombstones that one statement forgets. */
export const FORGET_ROWS_MAX = 2000;
export const RECOVERY_GROUP_RECORDS = 2000;

// The database.
export const DATABASE_START_MS = 30_000;
export const DATABASE_CONNECT_MS = 5000;
export const DATABASE_STATEMENT_MS = 30_000;
export const DATABASE_CONNECTIONS = 4;
/** Whoever holds the fence for longer while another process takes over is disconnected. */
export const FENCE_HOLDER_MS = 10_000;
/** Batches of as many records, thought to be new, go to the database by COPY. */
export const COPY_RECORDS_MIN = 512;
/** And of so many known ones, by way of a temporary table: five round trips instead of one. */
export const MERGE_RECORDS_MIN = 2048;
/** The clock's bound is written this far ahead of the clock. */
export const CLOCK_BOUND_AHEAD_MS = 3000;
/** Between two raises of it. */
export const CLOCK_BOUND_INTERVAL_MS = 1000;

assert(MAPS_MAX <= 65_536, 'map ids have 16 bits');
assert(PARTITIONS >= WORKERS_MAX, 'every worker owns a partition');
assert(
  KEY_BYTES_MAX + VALUE_BYTES_MAX + 4096 <= RING_BYTES / RING_RECORD_DIVISOR,
  'the largest operation fits a ring record',
);
assert(
  GROUP_RECORDS_MAX * (KEY_BYTES_MAX + 16) + VALUE_BYTES_MAX + 4096 <=
    RING_BYTES / RING_RECORD_DIVISOR,
  'the names of a group fit a ring record beside its argument',
);
assert(
  8 * PREDICATES_A_MAP_MAX + 10 * (KEY_BYTES_MAX + 2 * VALUE_BYTES_MAX + 4096) <= RING_BYTES / 2,
  'what one change is to all predicates, each with and without the value before, fits a ring',
);
assert(
  FRAME_BYTES_MAX >= VALUE_BYTES_MAX + KEY_BYTES_MAX + MAP_BYTES_MAX + 64,
  'a put fits a frame',
);
assert(FRAME_BYTES_MAX < TRANSPORT_FRAME_BYTES_MAX, 'a frame too long is refused by name');
assert(KEY_BYTES_MAX + 2 * VALUE_BYTES_MAX + 512 <= FRAME_BUFFER_BYTES, 'an event fits a frame');
assert(
  SESSION_SOFT_BYTES + 2 * LAG_LOOK_BYTES + FRAME_BUFFER_BYTES < SESSION_HARD_BYTES,
  'events stop before the connection is closed',
);
assert(
  SESSION_DRAINED_BYTES + SESSION_STREAMS_MAX * (STREAM_CREDIT_BYTES + SLICE_BYTES) <=
    SESSION_SOFT_BYTES,
  'catching up alone makes nobody lag',
);
assert(
  SESSION_ANSWER_BYTES_MAX + IN_FLIGHT_MAX * RESULT_SHORT_BYTES + SESSION_SOFT_BYTES <
    SESSION_HARD_BYTES,
  'answers always fit',
);
assert(
  RING_SHARED_DIVISOR < RING_CONTROL_DIVISOR,
  'a request ring has room to share out below what is kept for control records',
);
assert(STRANGERS_AN_ADDRESS_MAX <= STRANGERS_MAX, 'an address is one of many');
assert(HELLO_BYTES_MAX < STRANGER_BYTES_MAX, 'a Hello is heard to its end');
assert(CONNECTIONS_MAX < ADDRESSES_MAX, 'whoever is connected is remembered');
assert(CONNECTIONS_MAX < RESUME_TOKENS_MAX, 'whoever is connected may come back');
assert(
  RESTART_STEADY_MS > WORKER_HANG_MS && RESTART_STEADY_MS > RESTART_BACKOFF_MAX_MS,
  'who dies of every start is not steady',
);
assert((JOURNAL_ENTRIES & (JOURNAL_ENTRIES - 1)) === 0, 'journal entries are masked');
assert((LANE_ENTRIES & (LANE_ENTRIES - 1)) === 0, 'lane entries are masked');
assert((RING_BYTES & (RING_BYTES - 1)) === 0, 'ring positions are masked');
