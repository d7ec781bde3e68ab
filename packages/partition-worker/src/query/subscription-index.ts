import { MAPS_MAX } from '@tidewire/core';
import { RecordLayout, SubscribeRequest } from '@tidewire/core/threads';

const NO_TOPIC = 0;

interface KeyInterest {
  readonly topic: number;
  readonly mapId: number;
  readonly hash: number;
  readonly keyLength: number;
  readonly key: Int32Array;
}

/**
 * Which topics a change concerns. Owned by one worker, derived: the gateway is the register of
 * interests and tells a new worker all of them.
 */
export class SubscriptionIndex {
  /** Topics of the change last looked up, ascending; `count` of them count. */
  readonly topics: Int32Array = new Int32Array(2);
  count = 0;
  readonly #mapTopics: Int32Array = new Int32Array(MAPS_MAX);
  readonly #keysOfMap: Int32Array = new Int32Array(MAPS_MAX);
  readonly #keyInterests: Map<number, KeyInterest[]> = new Map(); // by key hash
  readonly #undo: Map<number, () => void> = new Map(); // by topic

  /** Takes the interest of a SUBSCRIBE record; saying it again changes nothing. */
  add(words: Int32Array, at: number): void {
    const topic = words[at + SubscribeRequest.TOPIC];
    if (this.#undo.has(topic)) return;
    const mapId = words[at + SubscribeRequest.MAP];
    const keyLength = words[at + SubscribeRequest.KEY_LENGTH];
    if (keyLength === 0) this.#addMap(topic, mapId);
    else
      this.#addKey({
        topic,
        mapId,
        hash: words[at + SubscribeRequest.HASH],
        keyLength,
        key: words.slice(
          at + SubscribeRequest.BODY,
          at + SubscribeRequest.BODY + RecordLayout.wordsOf(keyLength),
        ),
      });
  }

  remove(topic: number): void {
    this.#undo.get(topic)?.();
    this.#undo.delete(topic);
  }

  /** Finds the topics that the record at `record` concerns, left in `topics` and `count`. */
  lookUp(words: Int32Array, record: number): number {
    const mapId = RecordLayout.mapIdOf(words, record);
    this.count = 0;
    const mapTopic = this.#mapTopics[mapId];
    if (mapTopic !== NO_TOPIC) this.topics[this.count++] = mapTopic;
    if (this.#keysOfMap[mapId] !== 0) this.#lookUpKey(words, record, mapId);
    return this.count;
  }

  #lookUpKey(words: Int32Array, record: number, mapId: number): void {
    const interests = this.#keyInterests.get(words[record]);
    if (interests === undefined) return;
    for (const interest of interests) {
      if (interest.mapId !== mapId || !isKeyOf(words, record, interest)) continue;
      this.#insert(interest.topic);
    }
  }

  /** At most one map topic and one key topic; the smaller first. */
  #insert(topic: number): void {
    if (this.count === 1 && this.topics[0] > topic) {
      this.topics[1] = this.topics[0];
      this.topics[0] = topic;
    } else this.topics[this.count] = topic;
    this.count++;
  }

  #addMap(topic: number, mapId: number): void {
    this.#mapTopics[mapId] = topic;
    this.#undo.set(topic, () => {
      if (this.#mapTopics[mapId] === topic) this.#mapTopics[mapId] = NO_TOPIC;
    });
  }

  #addKey(interest: KeyInterest): void {
    const { hash, mapId } = interest;
    const others = this.#keyInterests.get(hash) ?? [];
    this.#keyInterests.set(hash, [
      ...others.filter((other) => !isSameKey(other, interest)),
      interest,
    ]);
    this.#keysOfMap[mapId]++;
    this.#undo.set(interest.topic, () => {
      this.#keysOfMap[mapId]--;
      const left = (this.#keyInterests.get(hash) ?? []).filter((other) => other !== interest);
      if (left.length === 0) this.#keyInterests.delete(hash);
      else this.#keyInterests.set(hash, left);
    });
  }
}

function isSameKey(left: KeyInterest, right: KeyInterest): boolean {
  return (
    left.mapId === right.mapId &&
    left.keyLength === right.keyLength &&
    left.key.every((word, i) => word === right.key[i])
  );
}

function isKeyOf(words: Int32Array, record: number, interest: KeyInterest): boolean {
  if (RecordLayout.keyLengthOf(words[record + RecordLayout.LENGTHS]) !== interest.keyLength)
    return false;
  const at = RecordLayout.keyIndex(record);
  for (let i = 0; i < interest.key.length; i++) if (words[at + i] !== interest.key[i]) return false;
  return true;
}
