import {
  bytesToWords,
  CancelRequest,
  CatchUpRequest,
  CensusRequest,
  CreditRequest,
  EndPresenceRequest,
  ForgetRuleRequest,
  ForgetSessionRequest,
  InterestEnd,
  InterestKind,
  NO_ROOM,
  QueryRequest,
  RecordLayout,
  RequestKind,
  RuleRequest,
  SUBSCRIBE_WITH_OLD,
  SubscribeRequest,
  TickRequest,
  UnsubscribeRequest,
} from '@tidewire/core/threads';
import type { Interest } from './interest.js';
import type { Owner } from './owner.js';
import { writeToken } from './update-fields.js';

/** Writes one control record to a worker's ring; false: no room now, nothing was written. */
export type ControlRecord = (owner: Owner) => boolean;

/** Changes of the interest concern `topic` from now on. */
export function subscribeRecord(topic: number, interest: Interest): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.SUBSCRIBE, subscribeWords(interest));
    if (at === NO_ROOM) return false;
    writeSubscribe(owner.requests.words, owner.requestBytes, at, topic, interest);
    return true;
  };
}

/** As `subscribeRecord`, for a worker that starts and reads its interest ring first. */
export function introduceRecord(topic: number, interest: Interest): ControlRecord {
  return (owner) => {
    const at = owner.interests.claim(InterestKind.SUBSCRIBE, subscribeWords(interest));
    if (at === NO_ROOM) return false;
    writeSubscribe(owner.interests.words, owner.interestBytes, at, topic, interest);
    return true;
  };
}

/** Ends the introduction of the worker's start of this number. */
export function introducedRecord(start: number): ControlRecord {
  return (owner) => {
    const at = owner.interests.claim(InterestKind.END, InterestEnd.WORDS);
    if (at === NO_ROOM) return false;
    owner.interests.words[at + InterestEnd.START] = start;
    return true;
  };
}

/** Every map's records are to be counted. */
export function censusRecord(number: number): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.CENSUS, CensusRequest.WORDS);
    if (at === NO_ROOM) return false;
    owner.requests.words[at + CensusRequest.NUMBER] = number;
    return true;
  };
}

/** The topic interests nobody any more. */
export function unsubscribeRecord(topic: number): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.UNSUBSCRIBE, UnsubscribeRequest.WORDS);
    if (at === NO_ROOM) return false;
    owner.requests.words[at + UnsubscribeRequest.TOPIC] = topic;
    return true;
  };
}

/** What a CATCH_UP asks for; entries of partition, mode and cursor, three numbers each. */
export interface CatchUpFields {
  readonly topic: number;
  readonly salt: Uint8Array;
  readonly credit: number;
  readonly nowMs: number;
  readonly entries: readonly number[];
}

export function catchUpRecord(stream: number, catchUp: CatchUpFields): ControlRecord {
  return (owner) => {
    const { entries, nowMs } = catchUp;
    const words = CatchUpRequest.ENTRIES + entries.length;
    const at = owner.requests.claimControl(RequestKind.CATCH_UP, words);
    if (at === NO_ROOM) return false;
    const ring = owner.requests.words;
    ring[at + CatchUpRequest.STREAM] = stream;
    ring[at + CatchUpRequest.TOPIC] = catchUp.topic;
    bytesToWords(catchUp.salt, 0, 16, ring, owner.requestBytes, at + CatchUpRequest.SALT);
    ring[at + CatchUpRequest.CREDIT] = catchUp.credit;
    ring[at + CatchUpRequest.NOW_LOW] = RecordLayout.lowWord(nowMs);
    ring[at + CatchUpRequest.NOW_HIGH] = RecordLayout.highWord(nowMs);
    ring[at + CatchUpRequest.COUNT] = entries.length / CatchUpRequest.ENTRY_WORDS;
    for (let i = 0; i < entries.length; i += CatchUpRequest.ENTRY_WORDS)
      writeEntry(ring, at + CatchUpRequest.ENTRIES + i, entries, i);
    return true;
  };
}

export interface QueryFields {
  readonly mapId: number;
  readonly credit: number;
  readonly nowMs: number;
  readonly limit: number;
  readonly flags: number;
  /** Canonical Predicate message, and Field message to order by; empty: none. */
  readonly predicate: Uint8Array;
  readonly order: Uint8Array;
}

export function queryRecord(stream: number, query: QueryFields): ControlRecord {
  return (owner) => {
    const { predicate, order } = query;
    const orderAt = QueryRequest.BODY + RecordLayout.wordsOf(predicate.length);
    const words = orderAt + RecordLayout.wordsOf(order.length);
    const at = owner.requests.claimControl(RequestKind.QUERY, words);
    if (at === NO_ROOM) return false;
    const ring = owner.requests.words;
    ring[at + QueryRequest.STREAM] = stream;
    ring[at + QueryRequest.MAP] = query.mapId;
    ring[at + QueryRequest.CREDIT] = query.credit;
    ring[at + QueryRequest.NOW_LOW] = RecordLayout.lowWord(query.nowMs);
    ring[at + QueryRequest.NOW_HIGH] = RecordLayout.highWord(query.nowMs);
    ring[at + QueryRequest.LIMIT] = query.limit;
    ring[at + QueryRequest.FLAGS] = query.flags;
    ring[at + QueryRequest.PREDICATE_LENGTH] = predicate.length;
    ring[at + QueryRequest.ORDER_LENGTH] = order.length;
    const body = at + QueryRequest.BODY;
    bytesToWords(predicate, 0, predicate.length, ring, owner.requestBytes, body);
    bytesToWords(order, 0, order.length, ring, owner.requestBytes, at + orderAt);
    return true;
  };
}

export function creditRecord(stream: number, bytes: number): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.CREDIT, CreditRequest.WORDS);
    if (at === NO_ROOM) return false;
    owner.requests.words[at + CreditRequest.STREAM] = stream;
    owner.requests.words[at + CreditRequest.BYTES] = bytes;
    return true;
  };
}

export function cancelRecord(stream: number): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.CANCEL, CancelRequest.WORDS);
    if (at === NO_ROOM) return false;
    owner.requests.words[at + CancelRequest.STREAM] = stream;
    return true;
  };
}

export function tickRecord(nowMs: number, flags: number): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.TICK, TickRequest.WORDS);
    if (at === NO_ROOM) return false;
    owner.requests.words[at + TickRequest.NOW_LOW] = RecordLayout.lowWord(nowMs);
    owner.requests.words[at + TickRequest.NOW_HIGH] = RecordLayout.highWord(nowMs);
    owner.requests.words[at + TickRequest.FLAGS] = flags;
    return true;
  };
}

/** Operations may name the rule from now on. */
export function ruleRecord(rule: number, predicate: Uint8Array): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.RULE, ruleWords(predicate));
    if (at === NO_ROOM) return false;
    writeRule(owner.requests.words, owner.requestBytes, at, rule, predicate);
    return true;
  };
}

/** As `ruleRecord`, for a worker that starts and reads its interest ring first. */
export function introduceRuleRecord(rule: number, predicate: Uint8Array): ControlRecord {
  return (owner) => {
    const at = owner.interests.claim(InterestKind.RULE, ruleWords(predicate));
    if (at === NO_ROOM) return false;
    writeRule(owner.interests.words, owner.interestBytes, at, rule, predicate);
    return true;
  };
}

/** No operation names the rule any more. */
export function forgetRuleRecord(rule: number): ControlRecord {
  return (owner) => {
    const at = owner.requests.claimControl(RequestKind.FORGET_RULE, ForgetRuleRequest.WORDS);
    if (at === NO_ROOM) return false;
    owner.requests.words[at + ForgetRuleRequest.RULE] = rule;
    return true;
  };
}

function ruleWords(predicate: Uint8Array): number {
  return RuleRequest.BODY + RecordLayout.wordsOf(predicate.length);
}

function writeRule(
  words: Int32Array,
  wordBytes: Uint8Array,
  at: number,
  rule: number,
  predicate: Uint8Array,
): void {
  words[at + RuleRequest.RULE] = rule;
  words[at + RuleRequest.PREDICATE_LENGTH] = predicate.length;
  bytesToWords(predicate, 0, predicate.length, words, wordBytes, at + RuleRequest.BODY);
}

function subscribeWords({ key, predicate }: Interest): number {
  return SubscribeRequest.BODY + RecordLayout.wordsOf(key.length + predicate.length);
}

function writeSubscribe(
  words: Int32Array,
  wordBytes: Uint8Array,
  at: number,
  topic: number,
  interest: Interest,
): void {
  const { key, predicate } = interest;
  words[at + SubscribeRequest.TOPIC] = topic;
  words[at + SubscribeRequest.MAP] = interest.mapId;
  words[at + SubscribeRequest.HASH] = interest.hash;
  words[at + SubscribeRequest.KEY_LENGTH] = key.length;
  words[at + SubscribeRequest.PREDICATE_LENGTH] = predicate.length;
  words[at + SubscribeRequest.FLAGS] = interest.withOld ? SUBSCRIBE_WITH_OLD : 0;
  const body = predicate.length === 0 ? key : predicate; // never both
  bytesToWords(body, 0, body.length, words, wordBytes, at + SubscribeRequest.BODY);
}

function writeEntry(words: Int32Array, at: number, entries: readonly number[], i: number): void {
  words[at] = entries[i] | (entries[i + 1] << 16);
  words[at + 1] = RecordLayout.lowWord(entries[i + 2]);
  words[at + 2] = RecordLayout.highWord(entries[i + 2]);
}

/** The session of this token will not come back. */
export function forgetSessionRecord(token: Uint8Array): ControlRecord {
  return (owner) => {
    const { requests } = owner;
    const at = requests.claimControl(RequestKind.FORGET_SESSION, ForgetSessionRequest.WORDS);
    if (at === NO_ROOM) return false;
    writeToken(requests.words, at + ForgetSessionRequest.TOKEN, token);
    return true;
  };
}

/** The newest put of a key that its client's connection keeps alive. */
export interface PresencePut {
  readonly mapId: number;
  readonly hash: number;
  readonly key: Uint8Array;
  readonly ms: number;
  readonly counter: number;
  readonly node: number;
  /** Predicate message that holds for what the client may write; empty: everything. */
  readonly rows: Uint8Array;
}

/** The client of this put has gone. */
export function endPresenceRecord(put: PresencePut): ControlRecord {
  return (owner) => {
    const rowsAt = EndPresenceRequest.KEY + RecordLayout.wordsOf(put.key.length);
    const length = rowsAt + RecordLayout.wordsOf(put.rows.length);
    const at = owner.requests.claimControl(RequestKind.END_PRESENCE, length);
    if (at === NO_ROOM) return false;
    const { words } = owner.requests;
    words[at + EndPresenceRequest.HASH] = put.hash;
    words[at + EndPresenceRequest.MAP] = put.mapId;
    words[at + EndPresenceRequest.MS_LOW] = RecordLayout.lowWord(put.ms);
    words[at + EndPresenceRequest.MS_HIGH_COUNTER] =
      (RecordLayout.highWord(put.ms) << 16) | put.counter;
    words[at + EndPresenceRequest.NODE] = put.node;
    words[at + EndPresenceRequest.KEY_LENGTH] = put.key.length;
    words[at + EndPresenceRequest.PREDICATE_LENGTH] = put.rows.length;
    const key = at + EndPresenceRequest.KEY;
    bytesToWords(put.key, 0, put.key.length, words, owner.requestBytes, key);
    bytesToWords(put.rows, 0, put.rows.length, words, owner.requestBytes, at + rowsAt);
    return true;
  };
}
