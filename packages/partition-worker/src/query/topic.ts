import { RecordLayout, SubscribeRequest } from '@tidewire/core/threads';

/** What a topic means: changes of a map, or of one key of it. */
export type Topic = MapTopic | KeyTopic;

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

/** The topic that a SUBSCRIBE record tells of. */
export function readTopic(words: Int32Array, at: number): Topic {
  const id = words[at + SubscribeRequest.TOPIC];
  const mapId = words[at + SubscribeRequest.MAP];
  const keyLength = words[at + SubscribeRequest.KEY_LENGTH];
  if (keyLength === 0) return { kind: 'map', id, mapId };
  const body = at + SubscribeRequest.BODY;
  const key = words.slice(body, body + RecordLayout.wordsOf(keyLength));
  return { kind: 'key', id, mapId, hash: words[at + SubscribeRequest.HASH], keyLength, key };
}
