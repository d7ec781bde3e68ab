import { decodePredicate, type Predicate } from '@tidewire/core';
import { RecordLayout, SUBSCRIBE_WITH_OLD, SubscribeRequest } from '@tidewire/core/threads';

/** What a topic means: changes of a map, of a key of it, or of its records that match. */
export type Topic = MapTopic | KeyTopic | PredicateTopic;

export interface MapTopic {
  readonly kind: 'map';
  readonly id: number;
  readonly mapId: number;
}

export interface KeyTopic {
  readonly kind: 'key';
  readonly id: number;
  readonly mapId: number;
  readonly hash: number;
  readonly keyLength: number;
  /** Zero-padded. */
  readonly key: Int32Array;
}

export interface PredicateTopic {
  readonly kind: 'predicate';
  readonly id: number;
  readonly mapId: number;
  /** In canonical form. */
  readonly predicate: Predicate;
  /** Its events carry the value before, too. */
  readonly isWithOld: boolean;
}

/** The topic that a SUBSCRIBE record tells of. */
export function readTopic(words: Int32Array, at: number): Topic {
  const id = words[at + SubscribeRequest.TOPIC];
  const mapId = words[at + SubscribeRequest.MAP];
  const keyLength = words[at + SubscribeRequest.KEY_LENGTH];
  const predicateLength = words[at + SubscribeRequest.PREDICATE_LENGTH];
  const start = at + SubscribeRequest.BODY;
  const body = words.slice(start, start + RecordLayout.wordsOf(keyLength + predicateLength));
  if (predicateLength > 0) {
    const predicate = decodePredicate(new Uint8Array(body.buffer, 0, predicateLength));
    const isWithOld = (words[at + SubscribeRequest.FLAGS] & SUBSCRIBE_WITH_OLD) !== 0;
    return { kind: 'predicate', id, mapId, predicate, isWithOld };
  }
  if (keyLength === 0) return { kind: 'map', id, mapId };
  return { kind: 'key', id, mapId, hash: words[at + SubscribeRequest.HASH], keyLength, key: body };
}
